"""Batch scores and alerts in the console."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from features.ground.console import ReadOnlyAdmin, ago, link, mono, number
from features.ground.panels import Code, Facts, Panel
from features.ground.unfold import ChoicesDropdownFilter, RangeDateTimeFilter, RelatedDropdownFilter, badge, display
from pipeline.models import Alert, BatchScore

SEVERITY_KINDS = {"warning": "warning", "critical": "danger"}


@admin.register(BatchScore)
class BatchScoreAdmin(ReadOnlyAdmin):
    """Batch scores."""

    next_command = "manage.py score MODEL INPUT OUTPUT"
    list_display = ("made", "model_version", "rows", "rejected", "speed", "input", "output")
    list_display_links = ("made", "model_version")
    list_filter = (("model_version", RelatedDropdownFilter), ("created_at", RangeDateTimeFilter))
    list_select_related = ("model_version__model",)
    search_fields = ("model_version__model__name", "input", "output")

    @display(description="Made", ordering="created_at")
    def made(self, obj: BatchScore) -> Any:
        return ago(obj.created_at)

    @display(description="Rows a second")
    def speed(self, obj: BatchScore) -> str:
        return number(round(obj.rows / obj.seconds)) if obj.seconds else "–"

    def panels(self, obj: BatchScore, request: HttpRequest) -> Sequence[Panel]:
        """Show what was scored, by which version, and where it went."""
        pairs = [
            ("Model version", link(obj.model_version)),
            ("Rows", number(obj.rows)),
            ("Rejected", number(obj.rejected)),
            ("Took", f"{obj.seconds:,.1f} s"),
            ("Rows a second", self.speed(obj)),
            ("Input", mono(obj.input)),
            ("Output", mono(obj.output)),
            ("Run", link(obj.run)),
        ]
        return (Facts(title="Batch score", wide=True, pairs=pairs),)


@admin.register(Alert)
class AlertAdmin(ReadOnlyAdmin):
    """Alerts."""

    next_command = "manage.py drift MODEL"
    list_display = ("title", "severity_badge", "state_badge", "times", "last", "delivered_at")
    list_filter = (("state", ChoicesDropdownFilter), ("severity", ChoicesDropdownFilter))
    search_fields = ("title", "key", "detail")

    @display(description="Severity", label=SEVERITY_KINDS, ordering="severity")
    def severity_badge(self, obj: Alert) -> str:
        return obj.severity

    @display(description="State", label={"open": "warning", "closed": "success"}, ordering="state")
    def state_badge(self, obj: Alert) -> str:
        return obj.state

    @display(description="Last", ordering="last_at")
    def last(self, obj: Alert) -> Any:
        return ago(obj.last_at)

    def panels(self, obj: Alert, request: HttpRequest) -> Sequence[Panel]:
        """Show what happened and since when."""
        pairs = [
            ("State", badge(obj.state, "warning" if obj.state == "open" else "success")),
            ("Severity", badge(obj.severity, SEVERITY_KINDS.get(obj.severity, ""))),
            ("First", ago(obj.created_at)),
            ("Last", ago(obj.last_at)),
            ("Times", obj.times),
            ("Reached Slack", ago(obj.delivered_at)),
            ("Run", link(obj.run)),
            ("Key", mono(obj.key)),
        ]
        return (
            Facts(title=obj.title, wide=True, pairs=pairs),
            Code(title="Detail", text=obj.detail or "None given.", wide=True),
        )
