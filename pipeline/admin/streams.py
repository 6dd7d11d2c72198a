"""The consumers of streams in the console."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from features.ground.console import ReadOnlyAdmin, ago, number
from features.ground.panels import Facts, Panel
from features.ground.unfold import ChoicesDropdownFilter, RangeDateTimeFilter, badge, display
from pipeline.models import StreamConsumer

STATE_KINDS = {"running": "success", "stopped": "", "failed": "danger"}


@admin.register(StreamConsumer)
class StreamConsumerAdmin(ReadOnlyAdmin):
    """Consumers of streams."""

    next_command = "manage.py consume --source jsonl --model MODEL --input FILE --output FILE"
    list_display = ("name", "model", "state_badge", "behind", "done", "heard", "worker")
    list_filter = (("state", ChoicesDropdownFilter), ("heartbeat_at", RangeDateTimeFilter))
    search_fields = ("name", "model", "worker")

    @display(description="State", label=STATE_KINDS, ordering="state")
    def state_badge(self, obj: StreamConsumer) -> str:
        return obj.state

    @display(description="Messages behind", ordering="lag")
    def behind(self, obj: StreamConsumer) -> str:
        return "not known" if obj.lag is None else number(obj.lag)

    @display(description="Done since it started", ordering="committed")
    def done(self, obj: StreamConsumer) -> str:
        return number(obj.committed)

    @display(description="Last heard of", ordering="heartbeat_at")
    def heard(self, obj: StreamConsumer) -> Any:
        return ago(obj.heartbeat_at)

    def panels(self, obj: StreamConsumer, request: HttpRequest) -> Sequence[Panel]:
        """Show how it is and how far behind."""
        pairs = [
            ("Model", obj.model),
            ("State", badge(obj.state, STATE_KINDS.get(obj.state, ""))),
            ("Messages behind", self.behind(obj)),
            ("Done since it started", number(obj.committed)),
            ("Last heard of", ago(obj.heartbeat_at)),
            ("Started", ago(obj.started_at)),
            ("Runs as", obj.worker),
            ("Error", obj.error or "–"),
        ]
        return (Facts(title=obj.name, wide=True, pairs=pairs),)
