"""End an attempt: every write names the token it was claimed with."""

import json
from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from features.ground.command import plain
from pipeline.actions.alerts import close_alert, raise_alert
from pipeline.core.run_context import finite
from pipeline.errors import LeaseLostError
from pipeline.models import Alert, Run


def alert_key(run: Run) -> str:
    """Return the key of the alert a failure of this run opens: one per schedule, else one per run.

    Parameters
    ----------
    run : Run
        The run.

    Returns
    -------
    str
        At most 200 characters.
    """
    return f"run_failed:{run.schedule or run.pk}"


def succeed(run: Run, result: dict[str, Any]) -> Run:
    """Record that the work is done.

    Parameters
    ----------
    run : Run
        As claimed.
    result : dict
        What the handler returned; times, paths and ids become text, NaN becomes None.

    Returns
    -------
    Run
        As stored.

    Raises
    ------
    LeaseLostError
        If the run was taken or cancelled meanwhile; nothing is written.
    """
    kept = finite(json.loads(json.dumps(result, default=plain)))
    _close(run, state=Run.State.SUCCEEDED, progress=100, result=kept)
    if run.schedule:
        close_alert(alert_key(run))
    run.refresh_from_db()
    return run


def fail(run: Run, code: str, text: str) -> Run:
    """Record that the work failed, and raise an alert.

    Parameters
    ----------
    run : Run
        As claimed.
    code : str
        Stable code of the error.
    text : str
        What a person can act on.

    Returns
    -------
    Run
        As stored.

    Raises
    ------
    LeaseLostError
        If the run was taken or cancelled meanwhile; nothing is written.
    """
    _close(run, state=Run.State.FAILED, error_code=code[:60], error=text[:1000])
    alert_failure(run, code, text)
    run.refresh_from_db()
    return run


def interrupt(run: Run) -> None:
    """Record that the person who ran it in the foreground stopped it.

    Parameters
    ----------
    run : Run
        As claimed.
    """
    _close(run, state=Run.State.CANCELLED, error_code="interrupted", error="stopped from the keyboard")


def alert_failure(run: Run, code: str, text: str) -> None:
    """Raise the alert of a failed run.

    Parameters
    ----------
    run : Run
        The run.
    code : str
        Stable code of the error.
    text : str
        What a person can act on.
    """
    name = run.schedule or f"{run.kind} run {str(run.pk)[:8]}"
    raise_alert(
        alert_key(run),
        f"{name} failed: {code}",
        detail=text[:1000],
        severity=Alert.Severity.CRITICAL,
        run_id=run.pk,
    )


def _close(run: Run, **fields: Any) -> None:
    held = Run.objects.filter(pk=run.pk, token=run.token, state=Run.State.RUNNING)
    with transaction.atomic(durable=True):
        changed = held.update(finished_at=Now(), lease_until=None, log=run.log, **fields)
    if not changed:
        raise LeaseLostError(
            f"run {run.pk} is no longer held by this worker: its result is not recorded", run=str(run.pk)
        )
