"""One POST to a Slack webhook."""

import json
from http.client import HTTPException
from urllib.request import Request, urlopen

from pipeline.errors import AlertDeliveryError
from pipeline.models import Alert

ICONS = {"critical": ":rotating_light:", "warning": ":warning:"}
MAX_DETAIL = 1000


def text_of(alert: Alert) -> str:
    """Return the message of an alert; what users named cannot mention people or make links."""
    detail = f"\n{escaped(alert.detail[:MAX_DETAIL])}" if alert.detail else ""
    run = f"\nrun {alert.run_id}" if alert.run_id else ""
    return f"{ICONS[alert.severity]} *{escaped(alert.title)}*{detail}{run}"


def escaped(text: str) -> str:
    """Escape the three characters Slack gives a meaning."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def post(webhook: str, text: str, *, timeout_s: float) -> None:
    """Send a message.

    Raises
    ------
    AlertDeliveryError
        If it is not taken; the text never holds the address, which is a secret.
    """
    if not webhook.startswith(("https://", "http://")):
        raise AlertDeliveryError("alerts.slack_webhook must be an http(s) address")
    body = json.dumps({"text": text}).encode()
    request = Request(webhook, data=body, headers={"Content-Type": "application/json"})  # noqa: S310 (checked above)
    try:
        with urlopen(request, timeout=timeout_s) as answer:  # noqa: S310 (the same)
            answer.read(1024)
    except (OSError, HTTPException) as error:
        raise AlertDeliveryError(f"the webhook did not take the alert: {type(error).__name__}") from error
