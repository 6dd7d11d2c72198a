"""Drift reports in the console, with the full report in a sandbox."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, Http404, HttpRequest
from django.shortcuts import get_object_or_404
from django.urls import reverse

from features.ground.console import ReadOnlyAdmin, ago, link, mono, number
from features.ground.panels import Chart, Code, Facts, Frame, Panel, Table
from features.ground.paths import var_path
from features.ground.unfold import RangeDateTimeFilter, RelatedDropdownFilter, badge, display
from pipeline.models import DriftReport

MOST_BARS = 25
# The report is a page of another maker with column names written into its scripts: it runs without an
# origin of its own, reaches nothing, and may only be framed by the console.
REPORT_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; font-src data:; "
    "frame-ancestors 'self'; sandbox allow-scripts"
)


def verdict(report: DriftReport) -> Any:
    """Return the verdict as a label."""
    return badge("drift", "danger") if report.dataset_drift else badge("no drift", "success")


@admin.register(DriftReport)
class DriftReportAdmin(ReadOnlyAdmin):
    """Drift reports."""

    next_command = "manage.py drift MODEL"
    next_page = ("Open a model version, then Run drift report", "admin:models_store_modelversion_changelist")
    list_display = ("made", "model_version", "verdict_label", "share", "drifted", "rows_current", "method", "source")
    list_display_links = ("made", "model_version")
    list_filter = (("model_version", RelatedDropdownFilter), "dataset_drift", ("created_at", RangeDateTimeFilter))
    list_select_related = ("model_version__model",)
    search_fields = ("model_version__model__name", "source")

    @display(description="Made", ordering="created_at")
    def made(self, obj: DriftReport) -> Any:
        return ago(obj.created_at)

    @display(description="Verdict", label={"drift": "danger", "no drift": "success"}, ordering="dataset_drift")
    def verdict_label(self, obj: DriftReport) -> str:
        return "drift" if obj.dataset_drift else "no drift"

    @display(description="Drifted columns", ordering="drift_share")
    def share(self, obj: DriftReport) -> str:
        return f"{obj.drift_share:.0%}"

    @display(description="Which")
    def drifted(self, obj: DriftReport) -> str:
        names = [name for name, column in obj.columns.items() if column.get("drifted")]
        return ", ".join(names[:3]) + (f" + {len(names) - 3} more" if len(names) > 3 else "") or "–"

    def get_custom_urls(self) -> tuple[Any, ...]:
        """Add the report's own address."""
        return (("<int:pk>/html/", "pipeline_driftreport_html", self.html),)

    def html(self, request: HttpRequest, pk: int, model_admin: Any) -> FileResponse:
        """Serve the stored report under its own policy."""
        report = get_object_or_404(DriftReport, pk=pk)
        if not self.has_view_permission(request, report):
            raise PermissionDenied
        return report_response(report)

    def panels(self, obj: DriftReport, request: HttpRequest) -> Sequence[Panel]:
        """Show the verdict, the columns by score, and the report in its sandbox."""
        return (
            Facts(title="Verdict", wide=True, pairs=drift_facts(obj)),
            scores_chart(obj),
            scores_table(obj),
            report_panel(obj),
        )


def report_file(report: DriftReport) -> Path | None:
    """Return the report's file; its place comes from the row alone and lies below the run-time folder."""
    try:
        path = var_path(report.html_path)
    except ValueError:
        return None
    return path if path.is_file() else None


def report_response(report: DriftReport) -> FileResponse:
    """Return the gzipped page under its own policy."""
    path = report_file(report)
    if path is None:
        raise Http404("the report's file is gone")
    response = FileResponse(path.open("rb"), content_type="text/html; charset=utf-8")
    response["Content-Encoding"] = "gzip"
    response["Content-Security-Policy"] = REPORT_POLICY
    response["X-Frame-Options"] = "SAMEORIGIN"
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "private, max-age=3600"
    del response["Content-Disposition"]
    return response


def drift_facts(obj: DriftReport) -> list[tuple[str, Any]]:
    """Return the verdict and what was compared."""
    window = (
        f"{obj.window_start:%Y-%m-%d %H:%M} to {obj.window_end:%Y-%m-%d %H:%M}"
        if obj.window_start and obj.window_end
        else "–"
    )
    return [
        ("Verdict", verdict(obj)),
        ("Drifted columns", f"{obj.drift_share:.0%} of {len(obj.columns)} measured"),
        ("Model version", link(obj.model_version)),
        ("Window", window),
        ("Training rows", number(obj.rows_reference)),
        ("Served rows", number(obj.rows_current)),
        ("Method", obj.method),
        ("Served values from", obj.source),
        ("Not measured", ", ".join(obj.not_measured) or "–"),
        ("Run", link(obj.run)),
        ("Made", ago(obj.created_at)),
    ]


def by_score(obj: DriftReport) -> list[tuple[str, dict[str, Any]]]:
    """Return the columns, the most moved first."""
    return sorted(obj.columns.items(), key=lambda item: -float(item[1].get("score") or 0))


def scores_table(obj: DriftReport) -> Table:
    """Return the panel of scores by column."""
    labels = {True: badge("drift", "danger"), False: badge("no drift", "success")}
    rows = [
        (mono(name), number(column.get("score")), labels[bool(column.get("drifted"))]) for name, column in by_score(obj)
    ]
    return Table(title="Columns", headers=("Column", f"Score ({obj.method})", "Verdict"), rows=rows, wide=True)


def scores_chart(obj: DriftReport) -> Chart:
    """Return the panel that draws the scores."""
    shown = by_score(obj)[:MOST_BARS]
    note = (
        f"{obj.method} of served values against the training snapshot; threshold now {settings.CONFIG.drift.threshold}."
    )
    scores = [float(column.get("score") or 0) for _, column in shown]
    return Chart(
        title="How far each column has moved",
        wide=True,
        note=note,
        kind="bar",
        labels=[n for n, _ in shown],
        series={"score": scores},
    )


def report_panel(obj: DriftReport) -> Panel:
    """Return the frame of the full report, or say that its file is gone."""
    if report_file(obj) is None:
        text = f"{obj.html_path or 'no file'} is not in the run-time folder. Next: manage.py drift {obj.model_version}"
        return Code(title="Full report", note="The report's file is gone.", text=text, wide=True)
    note = "Drawn by evidently, in a sandbox: it can't reach this page, your session or the network."
    address = reverse("admin:pipeline_driftreport_html", args=[obj.pk])
    return Frame(title="Full report", note=note, url=address, wide=True)
