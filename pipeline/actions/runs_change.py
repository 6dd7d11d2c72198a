"""Cancel and retry."""

from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from features.ground.audit import record_audit, refusals_audited
from pipeline.actions.runs_enqueue import ring
from pipeline.errors import RunStateError, UnknownRunError
from pipeline.models import Run

State = Run.State


@refusals_audited("cancel_run", object_type="run", of="run_id")
def cancel_run(run_id: UUID, *, actor: str) -> Run:
    """Stop a run that waits or is being worked on; its worker notices at its next beat.

    Parameters
    ----------
    run_id : UUID
        The run.
    actor : str
        Who cancels.

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
    with transaction.atomic(durable=True):
        changed = Run.objects.filter(pk=run_id, state__in=(State.QUEUED, State.RUNNING)).update(
            state=State.CANCELLED,
            token=F("token") + 1,
            lease_until=None,
            finished_at=Now(),
            error_code="cancelled",
            error=f"cancelled by {actor}",
        )
        if changed:
            _audit("cancel_run", run_id, actor)
    return _changed(run_id, changed, "cancel", "queued or running")


@refusals_audited("retry_run", object_type="run", of="run_id")
def retry_run(run_id: UUID, *, actor: str) -> Run:
    """Queue a failed or cancelled run again, with all its attempts.

    Parameters
    ----------
    run_id : UUID
        The run.
    actor : str
        Who retries; the run is theirs from now on.

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
    with transaction.atomic(durable=True):
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
            _audit("retry_run", run_id, actor)
            ring(run_id, Run.objects.values_list("kind", flat=True).get(pk=run_id))
    return _changed(run_id, changed, "retry", "failed or cancelled")


def _audit(action: str, run_id: UUID, actor: str) -> None:
    record_audit(actor=actor, action=action, object_type="run", object_id=str(run_id))


def _changed(run_id: UUID, changed: int, verb: str, allowed: str) -> Run:
    run = Run.objects.filter(pk=run_id).first()
    if run is None:
        raise UnknownRunError(f"no run {run_id}: `runs` lists them", run=str(run_id))
    if not changed:
        raise RunStateError(f"can't {verb} run {run_id}: it must be {allowed}, it is {run.state}", state=run.state)
    return run
