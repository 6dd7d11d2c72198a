"""Cancel and retry."""

from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from features.ground.audit import audited_refusals, record_audit
from pipeline.actions.runs_enqueue import ring
from pipeline.errors import RunStateError, UnknownRunError
from pipeline.models import Run

State = Run.State


def cancel_run(run_id: UUID, *, actor: str, reason: str = "") -> Run:
    """Stop a run that waits or is being worked on; its worker notices at its next beat.

    Parameters
    ----------
    run_id : UUID
        The run.
    actor, reason : str
        Who cancels, and why.

    Returns
    -------
    Run
        Cancelled.

    Raises
    ------
    UnknownRunError
        If no run has this id.
    RunStateError
        If it has ended already.
    """
    about = _about(run_id, "cancel_run", actor, reason)
    with audited_refusals(**about):
        with transaction.atomic(durable=True):
            before = _before(run_id)
            changed = Run.objects.filter(pk=run_id, state__in=(State.QUEUED, State.RUNNING)).update(
                state=State.CANCELLED,
                token=F("token") + 1,
                lease_until=None,
                finished_at=Now(),
                error_code="cancelled",
                error=f"cancelled by {actor}"[:1000],
            )
            if changed:
                record_audit(**about, before=before, after={"state": State.CANCELLED.value})
        return _changed(run_id, changed, "cancel", "queued or running")


def retry_run(run_id: UUID, *, actor: str, reason: str = "") -> Run:
    """Queue a failed or cancelled run again, with all its attempts.

    Parameters
    ----------
    run_id : UUID
        The run.
    actor, reason : str
        Who retries, and why; the run is theirs from now on.

    Returns
    -------
    Run
        Queued.

    Raises
    ------
    UnknownRunError
        If no run has this id.
    RunStateError
        If it has not failed or been cancelled.
    """
    about = _about(run_id, "retry_run", actor, reason)
    with audited_refusals(**about):
        with transaction.atomic(durable=True):
            before = _before(run_id)
            changed = Run.objects.filter(pk=run_id, state__in=(State.FAILED, State.CANCELLED)).update(
                state=State.QUEUED,
                token=F("token") + 1,
                attempt=0,
                actor=actor,
                enqueued_at=Now(),
                started_at=None,
                finished_at=None,
                progress=0,
                step="",
                worker="",
                error_code="",
                error="",
                result={},
            )
            if changed:
                record_audit(**about, before=before, after={"state": State.QUEUED.value})
                ring(run_id, Run.objects.values_list("kind", flat=True).get(pk=run_id))
        return _changed(run_id, changed, "retry", "failed or cancelled")


def _about(run_id: UUID, action: str, actor: str, reason: str) -> dict[str, Any]:
    return {"actor": actor, "action": action, "object_type": "run", "object_id": str(run_id), "reason": reason}


def _before(run_id: UUID) -> dict[str, Any]:
    # Locked, so that what the audit says was there is what the update finds.
    seen = Run.objects.select_for_update().filter(pk=run_id)
    return dict(seen.values("state", "attempt", "error_code", "actor").first() or {})


def _changed(run_id: UUID, changed: int, verb: str, allowed: str) -> Run:
    run = Run.objects.filter(pk=run_id).first()
    if run is None:
        raise UnknownRunError(f"no run {run_id}: `runs` lists them", run=str(run_id))
    if not changed:
        raise RunStateError(f"can't {verb} run {run_id}: it must be {allowed}, it is {run.state}", state=run.state)
    return run
