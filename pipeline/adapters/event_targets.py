"""Who is told of events: only whom the settings name."""

import time
from collections.abc import Callable, Mapping

from django.conf import settings

from models_store.actions.outbox import Claim
from pipeline.adapters import slack
from pipeline.adapters.webhooks import post_signed
from pipeline.core.event_text import event_text

Send = Callable[[Claim], None]
SLACK = "slack"


def targets() -> Mapping[str, Send]:
    """Return how to tell each target, by its name."""
    events = settings.CONFIG.events
    found: dict[str, Send] = {}
    if events.slack and settings.CONFIG.alerts.slack_webhook.get_secret_value():
        found[SLACK] = _to_slack
    for pair in events.webhooks:
        name, _, address = pair.partition("=")
        found[f"webhook:{name}"] = _to_webhook(address)
    return found


def _to_slack(claim: Claim) -> None:
    webhook = settings.CONFIG.alerts.slack_webhook.get_secret_value()
    text = slack.escaped(event_text(claim.kind, claim.payload))
    slack.post(webhook, text, timeout_s=settings.CONFIG.events.timeout_s)


def _to_webhook(address: str) -> Send:
    def send(claim: Claim) -> None:
        events = settings.CONFIG.events
        content = {"type": claim.kind, "timestamp": claim.at.isoformat(), "data": dict(claim.payload)}
        post_signed(
            address,
            claim.event_id,
            content,
            secret=events.webhook_secret.get_secret_value(),
            timestamp=int(time.time()),
            timeout_s=events.timeout_s,
        )

    return send
