"""What serving says on the pages of a model and of a version: what is loaded, a canary beside production."""

from collections.abc import Sequence

from django.conf import settings

from features.ground.console import ago, number
from features.ground.errors import DomainError
from features.ground.panels import Chart, Facts, Panel, Table
from models_store.models import ModelVersion, RegisteredModel, Stage
from predictions import engine
from predictions.actions.judge_canary import judge_canary
from predictions.core.sequential import Evidence


def loaded_panels(model: RegisteredModel) -> Sequence[Panel]:
    """Return what the process that drew this page has loaded of a model, and what it could not load."""
    try:
        found = next((status for status in engine.status() if status.name == model.name), None)
    except DomainError:
        found = None
    if found is None:
        return ()
    pairs = [
        ("Production", f"@{found.version}, {found.engine or 'asleep until asked'}" if found.version else "–"),
        ("Loaded", ago(found.loaded_at)),
        ("Canary", f"@{found.canary} for {found.canary_percent} %" if found.canary else "–"),
        ("Shadow", f"@{found.shadow}" if found.shadow else "–"),
        ("Could not be loaded", found.error or "–"),
    ]
    note = "A version that can't be loaded is tried again, while the one before it answers." if found.error else ""
    return (Facts(title="Loaded in this process", pairs=pairs, note=note),)


def canary_panels(version: ModelVersion) -> Sequence[Panel]:
    """Return what is known of a canary; nothing of a version in another stage."""
    if version.stage != Stage.CANARY:
        return ()
    verdict = judge_canary(version)
    config = settings.CONFIG.canary
    stops = "the guard stops it by itself" if config.guard else "the guard is off"
    said = f"Against it: {'; '.join(verdict.why)}." if verdict.stop else f"Nothing speaks against it; {stops}."
    rows = [
        evidence_row("No answer, where production had one", verdict.errors),
        evidence_row(f"Slower than {config.max_latency_ratio:g} times production's median", verdict.latency),
        evidence_row("Loss minus production's on the same rows", verdict.outcomes),
        ("Answers that were no numbers", "–", number(verdict.not_finite), "–", "0", "–"),
    ]
    headers = ("What", "Seen", "Mean", "Within, at all times", "Allowed", "Evidence")
    needed = f"Evidence of {3 / config.alpha:,.0f} stops it; one may look as often as one likes."
    found: list[Panel] = [
        Table(title="Canary beside production", headers=headers, rows=rows, note=f"{said} {needed}", wide=True)
    ]
    if verdict.drawn:
        counts, means, lows, highs = zip(*verdict.drawn, strict=True)
        found.append(
            Chart(
                title="Loss minus production's",
                labels=counts,
                series={"mean": means, "low": lows, "high": highs},
                dashed=("low", "high"),
                x_title="rows whose outcome is known",
                y_title="difference of loss",
                summary=f"After {counts[-1]} rows {means[-1]:+.3f}, within {lows[-1]:+.3f} and {highs[-1]:+.3f}.",
                wide=True,
            )
        )
    return found


def evidence_row(name: str, found: Evidence) -> tuple[str, ...]:
    """Return one test as a row."""
    if not found.count:
        return name, "0", "–", "–", number(found.limit), "–"
    within = f"{number(found.low)} to {number(found.high)}"
    return name, number(found.count), number(found.mean), within, number(found.limit), number(found.against)
