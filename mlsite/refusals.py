"""Writes that are refused at a door, by role or by form, are audited as those that an action refuses.

Only of callers who are known, and so many a minute for each: nobody fills the audit from outside, and nobody who is
inside fills it faster than it is read.
"""

import json
import logging
from typing import Any

from django.db import DatabaseError
from django.http import HttpRequest

from models_store.actions.record_refusal import record_refusal
from predictions.adapters import limits

logger = logging.getLogger(__name__)
SAFE = {"GET", "HEAD", "OPTIONS", "TRACE"}
RATE = "10/minute"
MAX_WHY = 500


def keep_refusal(request: HttpRequest, *, actor: str, code: str, why: Any) -> None:
    """Audit a refused write, if its caller is known and has not been refused too often this minute."""
    if not actor or request.method in SAFE:
        return
    decision = limits.hit("refusals", actor, RATE)
    if decision and not decision.allowed:
        return
    text = why if isinstance(why, str) else json.dumps(why, default=str)
    try:
        record_refusal(actor=actor, method=request.method or "", path=request.path, code=code, why=text[:MAX_WHY])
    except DatabaseError:
        # The refusal itself stands, whether or not it could be written down.
        logger.exception("a refusal could not be audited")


def keep_form_refusal(sender: object, *, request: HttpRequest, why: Any, **_: Any) -> None:
    """Audit a dialog of the console that was sent in a form that can't be used."""
    keep_refusal(request, actor=console_actor(request), code="invalid_input", why=why)


def console_actor(request: HttpRequest) -> str:
    """Return who is signed in to the console, as the audit names people; empty for nobody."""
    user = getattr(request, "user", None)
    return f"user:{user.get_username()}" if user is not None and user.is_authenticated else ""
