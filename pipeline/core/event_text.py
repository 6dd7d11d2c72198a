"""An event in one line for people."""

from collections.abc import Mapping
from typing import Any

from features.ground.errors import bounded

SAID = {
    "promotion.requested": "{who} asks to take {version} to {stage}",
    "promotion.approved": "{who} approved {version} for {stage}",
    "promotion.rejected": "{who} rejected {version} for {stage}",
    "promotion.refused": "{version} was refused for {stage}",
    "promotion.scheduled": "{version} is scheduled for {stage}",
    "promotion.applied": "{version} is now {stage}, asked by {who}",
    "promotion.expired": "the request to take {version} to {stage} expired",
    "promotion.void": "the request to take {version} to {stage} is void",
    "rollback.applied": "{who} rolled back to {version}",
    "audit.checkpoint": "the audit was signed at {entries} entries",
}


def event_text(kind: str, payload: Mapping[str, Any]) -> str:
    """Return what to tell people of an event.

    Parameters
    ----------
    kind : str
        What happened.
    payload : mapping
        To what, by whom and why.

    Returns
    -------
    str
        One line, and the reason and the request's number behind it where there are any.
    """
    values = {
        "who": payload.get("actor", "somebody"),
        "version": f"{payload.get('model', '?')}@{payload.get('version', '?')}",
        "stage": payload.get("target_stage", "?"),
        "entries": payload.get("entries", "?"),
    }
    said = SAID[kind].format(**values) if kind in SAID else kind
    waived = payload.get("waived")
    more = [
        f"(request {payload['request']})" if payload.get("request") else "",
        f"– waived: {', '.join(waived)}" if waived else "",
        f"– {bounded(payload['reason'], 300)}" if payload.get("reason") else "",
    ]
    return " ".join(filter(None, [said, *more]))
