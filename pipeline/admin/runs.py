"""Runs in the console."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import URLPattern, path
from django.utils.html import format_html

from features.ground.console import ReadOnlyAdmin, ago, as_uuid, link, mono, number
from features.ground.panels import Code, Facts, Panel, Table
from features.ground.unfold import ChoicesDropdownFilter, RangeDateTimeFilter, badge, display
from features.models import DatasetVersion
from models_store.models import ModelVersion
from pipeline.admin.uploads import upload_view
from pipeline.models import Alert, BatchScore, DriftReport, Run

REFRESH_SECONDS = "3"
STATE_KINDS = {"queued": "info", "running": "primary", "succeeded": "success", "failed": "danger", "cancelled": ""}


@admin.register(Run)
class RunAdmin(ReadOnlyAdmin):
    """Runs."""

    next_command = "manage.py train MODEL --dataset DATASET"
    list_display = ("__str__", "state_badge", "percent", "step", "error_code", "attempt", "actor", "enqueued", "took")
    list_filter = (
        ("state", ChoicesDropdownFilter),
        ("kind", ChoicesDropdownFilter),
        ("enqueued_at", RangeDateTimeFilter),
    )
    search_fields = ("schedule", "idempotency_key", "worker", "error_code", "error")
    date_hierarchy = "enqueued_at"

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """Look up a whole id, else search the texts."""
        if run_id := as_uuid(search_term):
            return queryset.filter(id=run_id), False
        return super().get_search_results(request, queryset, search_term)

    @display(description="State", label=STATE_KINDS, ordering="state")
    def state_badge(self, obj: Run) -> str:
        return obj.state

    @display(description="Progress", ordering="progress")
    def percent(self, obj: Run) -> str:
        return f"{obj.progress} %"

    @display(description="Asked", ordering="enqueued_at")
    def enqueued(self, obj: Run) -> Any:
        return ago(obj.enqueued_at)

    @display(description="Took")
    def took(self, obj: Run) -> str:
        return duration(obj)

    def get_urls(self) -> list[URLPattern]:
        """Add the page that uploads a file."""
        upload = self.admin_site.admin_view(upload_view)
        return [path("upload/", upload, name="pipeline_run_upload"), *super().get_urls()]

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Show a run that has not ended again every few seconds."""
        answer = super().render_change_form(request, context, *args, **kwargs)
        run = kwargs.get("obj")
        if run is not None and run.state in (Run.State.QUEUED, Run.State.RUNNING):
            answer["Refresh"] = REFRESH_SECONDS
        return answer

    def panels(self, obj: Run, request: HttpRequest) -> Sequence[Panel]:
        """Show how far it is or why it failed, then what it was given and made."""
        error = (Code(title="Error", note=obj.error_code, text=obj.error, wide=True),) if obj.error_code else ()
        return (
            Facts(title="Run", wide=True, pairs=run_facts(obj)),
            *error,
            Table(title="Parameters", headers=("Name", "Value"), rows=pairs_of(obj.params), empty="None."),
            Table(title="Result", headers=("Name", "Value"), rows=pairs_of(obj.result), empty="None yet."),
            made_table(obj),
        )


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
