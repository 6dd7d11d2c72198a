"""What a run's page and its dialogs show."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from django.urls import reverse

from features.ground.console import ago, link, mono
from features.ground.panels import Facts, Panel, Table
from features.ground.unfold import badge
from features.models import DatasetVersion
from models_store.admin.comparison import cut
from models_store.admin.pages import flattened
from models_store.admin.panels import plain
from models_store.models import ModelVersion
from pipeline.models import Alert, BatchScore, DriftReport, Run

STATE_KINDS = {"queued": "info", "running": "primary", "succeeded": "success", "failed": "danger", "cancelled": ""}


UNDER_WAY = (Run.State.QUEUED, Run.State.RUNNING)


@dataclass(frozen=True, kw_only=True)
class Progress(Panel):
    """How far a run is and what it said last; the page asks again by itself until it has ended."""

    template: ClassVar[str] = "console/progress.html"
    now: Mapping[str, Any]
    address: str


def progress_panel(run: Run) -> Progress:
    """Return the panel that follows a run."""
    address = reverse("admin:pipeline_run_progress", args=[run.pk])
    return Progress(title="Progress", wide=True, now=progress_of(run), address=address)


def progress_of(run: Run) -> dict[str, Any]:
    """Return what the page of a run shows again and again."""
    beat = run.heartbeat_at
    return {
        "state": run.state,
        "ended": run.state not in UNDER_WAY,
        "percent": run.progress,
        "step": under_way(run),
        "attempt": run.attempt,
        "heartbeat": f"{beat:%H:%M:%S} UTC" if beat else "–",
        "log": run.log,
    }


def under_way(run: Run) -> str:
    """Return what a run does now; nothing once it has ended."""
    if run.state not in UNDER_WAY:
        return ""
    return run.step or ("waits for a worker" if run.state == Run.State.QUEUED else "")


def duration(run: Run) -> str:
    """Return how long a run took."""
    if not run.started_at or not run.finished_at:
        return "–"
    return f"{(run.finished_at - run.started_at).total_seconds():,.1f}\u00a0s"


def run_facts(obj: Run) -> list[tuple[str, Any]]:
    """Return state, progress and who did it."""
    return [
        ("State", badge(obj.state, STATE_KINDS.get(obj.state, ""))),
        ("Progress", f"{obj.progress} %"),
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
    return Table(title="Parameters", headers=("Name", "Value"), rows=pairs_of(params), empty="None.", foldable=True)


def pairs_of(values: Any) -> list[tuple[Any, Any]]:
    """Return names and values of a stored JSON object, those that say something."""
    given = flattened(values) if isinstance(values, dict) else ()
    return [(mono(name), cut(plain(value))) for name, value in given if value not in ("", None, [], {})]


def made_table(obj: Run) -> Table:
    """Return links to what a run made."""
    made: list[Any] = [*ModelVersion.objects.filter(run_id=obj.pk).select_related("model")]
    made += [*DriftReport.objects.filter(run=obj), *BatchScore.objects.filter(run=obj), *Alert.objects.filter(run=obj)]
    made += DatasetVersion.objects.filter(
        dataset__name=obj.result.get("dataset", ""), number=obj.result.get("version") or 0
    ).select_related("dataset")[: obj.kind == Run.Kind.INGEST]
    rows = [(thing._meta.verbose_name, link(thing)) for thing in made]
    return Table(title="Made by it", headers=("What", "Page"), rows=rows, empty="Nothing with a page of its own.")
