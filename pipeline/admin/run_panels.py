"""What a run's page and its dialogs show."""

from typing import Any

from django.utils.html import format_html

from features.ground.console import ago, link, mono, number
from features.ground.panels import Facts, Table
from features.ground.unfold import badge
from features.models import DatasetVersion
from models_store.models import ModelVersion
from pipeline.models import Alert, BatchScore, DriftReport, Run

STATE_KINDS = {"queued": "info", "running": "primary", "succeeded": "success", "failed": "danger", "cancelled": ""}


def duration(run: Run) -> str:
    """Return how long a run took."""
    if not run.started_at or not run.finished_at:
        return "–"
    return f"{(run.finished_at - run.started_at).total_seconds():,.1f}\u00a0s"


def run_facts(obj: Run) -> list[tuple[str, Any]]:
    """Return state, progress and who did it."""
    bar = format_html(
        '{} % {}<progress class="c-bar" max="100" value="{}"></progress>', obj.progress, obj.step, obj.progress
    )
    return [
        ("State", badge(obj.state, STATE_KINDS.get(obj.state, ""))),
        ("Progress", bar),
        ("Attempt", obj.attempt),
        ("Took", duration(obj)),
        ("Asked", ago(obj.enqueued_at)),
        ("By", obj.actor),
        ("Schedule", obj.schedule or "by hand"),
        ("Worker", obj.worker or "–"),
        ("Last heartbeat", ago(obj.heartbeat_at)),
        ("Id", mono(obj.id)),
    ]


def run_facts_table(obj: Run) -> Facts:
    """Return the first panel of a run."""
    return Facts(title="Run", wide=True, pairs=run_facts(obj))


def params_table(params: dict[str, Any]) -> Table:
    """Return what a run was, or will be, given."""
    said = {name: value for name, value in params.items() if value not in ("", None, [], {})}
    return Table(title="Parameters", headers=("Name", "Value"), rows=pairs_of(said), empty="None.")


def pairs_of(values: Any) -> list[tuple[Any, Any]]:
    """Return names and values of a stored JSON object."""
    return [(mono(name), number(value)) for name, value in values.items()] if isinstance(values, dict) else []


def made_table(obj: Run) -> Table:
    """Return links to what a run made."""
    made: list[Any] = [*ModelVersion.objects.filter(run_id=obj.pk).select_related("model")]
    made += [*DriftReport.objects.filter(run=obj), *BatchScore.objects.filter(run=obj), *Alert.objects.filter(run=obj)]
    made += DatasetVersion.objects.filter(
        dataset__name=obj.result.get("dataset", ""), number=obj.result.get("version") or 0
    ).select_related("dataset")[: obj.kind == Run.Kind.INGEST]
    rows = [(thing._meta.verbose_name, link(thing)) for thing in made]
    return Table(title="Made by it", headers=("What", "Page"), rows=rows, empty="Nothing with a page of its own.")
