"""Events and their way to each target, in the console."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from features.ground.console import ReadOnlyAdmin, ago, link, mono
from features.ground.panels import Code, Facts, Panel, Table
from features.ground.unfold import ChoicesDropdownFilter, RangeDateTimeFilter, badge, display
from models_store.admin.panels import pretty
from models_store.models import Delivery, OutboxEvent

DELIVERY_KINDS = {"pending": "warning", "delivered": "success", "dead": "danger"}


def state_badge(delivery: Delivery) -> Any:
    """Return how far a delivery got, as a label."""
    return badge(delivery.get_state_display(), DELIVERY_KINDS.get(delivery.state, ""))


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    """Events on their way to their targets."""

    next_command = "manage.py deliver_events"
    list_display = ("event", "target", "state_label", "attempts", "error", "created_at")
    list_filter = (("state", ChoicesDropdownFilter), "target", "event__kind")
    list_select_related = ("event",)
    search_fields = ("event__kind", "target", "error")

    @display(description="State", label=DELIVERY_KINDS, ordering="state")
    def state_label(self, obj: Delivery) -> str:
        return obj.state

    def panels(self, obj: Delivery, request: HttpRequest) -> Sequence[Panel]:
        """Show what is told to whom, and how far it got."""
        pairs = [
            ("State", state_badge(obj)),
            ("Target", obj.target),
            ("Event", obj.event.kind),
            ("Event id", mono(obj.event.event_id)),
            ("Attempts", obj.attempts),
            ("Last error", obj.error or "–"),
            ("Next try", ago(obj.next_at) if obj.state == Delivery.State.PENDING else "–"),
            ("Delivered", ago(obj.delivered_at)),
            ("Happened", ago(obj.event.created_at)),
        ]
        payload = Code(title="What is told", text=pretty(obj.event.payload), wide=True)
        return (Facts(title="Delivery", wide=True, pairs=pairs), payload)


@admin.register(OutboxEvent)
class OutboxEventAdmin(ReadOnlyAdmin):
    """What happened, as it is told."""

    next_command = "manage.py promote MODEL@N --stage production --reason WHY"
    list_display = ("kind", "event_id", "created_at", "fanned_out_at")
    list_filter = ("kind", ("created_at", RangeDateTimeFilter))
    search_fields = ("kind",)

    def panels(self, obj: OutboxEvent, request: HttpRequest) -> Sequence[Panel]:
        """Show what is told, and who has been told."""
        rows = [
            (
                link(d, d.target),
                badge(d.get_state_display(), DELIVERY_KINDS.get(d.state, "")),
                d.attempts,
                d.error or "–",
            )
            for d in obj.deliveries.all()
        ]
        empty = "No target: events.webhooks and alerts.slack_webhook name them." if obj.fanned_out_at else "Not yet."
        return (
            Facts(title=obj.kind, pairs=[("Event id", mono(obj.event_id)), ("Happened", ago(obj.created_at))]),
            Table(title="Deliveries", headers=("Target", "State", "Attempts", "Error"), rows=rows, empty=empty),
            Code(title="What is told", text=pretty(obj.payload), wide=True),
        )
