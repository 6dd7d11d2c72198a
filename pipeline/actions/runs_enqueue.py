"""Ask for a run."""

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.db.models.functions import Now

from features.ground.audit import record_audit, refusals_audited
from features.ground.canonical import canonical_json
from pipeline.errors import IdempotencyMismatchError, UnknownRunKindError
from pipeline.models import Run
from pipeline.signals import run_queued


def ring(run_id: UUID, kind: str) -> None:
    """Tell the queue, once the transaction is committed, that a run waits.

    Parameters
    ----------
    run_id : UUID
        The run.
    kind : str
        Its kind, which decides the queue.
    """
    transaction.on_commit(partial(run_queued.send, sender=Run, run_id=run_id, kind=kind), robust=True)


@refusals_audited("enqueue_run", object_type="run", of="kind")
def enqueue_run(
    kind: str,
    params: Mapping[str, Any],
    *,
    actor: str,
    idempotency_key: str | None = None,
    schedule: str | None = None,
    due_at: datetime | None = None,
) -> Run:
    """Write a run down and ring for a worker.

    Parameters
    ----------
    kind, actor : str
        One of `Run.Kind`; and who asks.
    params : Mapping
        What to do, JSON-compatible and finite.
    idempotency_key : str, optional
        The same key with the same kind and params gives the stored run.
    schedule : str, optional
        The schedule that asks; one run for each of its due times, whoever asks first.
    due_at : datetime, optional
        The due time of the schedule.

    Returns
    -------
    Run
        The new run, or the stored one of the same key or slot.

    Raises
    ------
    UnknownRunKindError
        If the kind is not known.
    IdempotencyMismatchError
        If the key was used for something else.
    """
    refuse_unknown_kind(kind)
    canonical_json(params)  # NaN and foreign types are refused here, not by one database and not the other.
    new = Run(
        kind=kind, params=dict(params), actor=actor, idempotency_key=idempotency_key, schedule=schedule, due_at=due_at
    )
    try:
        with transaction.atomic(durable=True):
            _insert(new)
    except IntegrityError:
        return _stored(new)
    new.refresh_from_db()
    return new


def _insert(new: Run) -> None:
    new.enqueued_at = Now()
    new.save(force_insert=True)
    # What a schedule asks for was asked once, when the schedule was made.
    if new.schedule is None:
        about = {"kind": new.kind}
        record_audit(actor=new.actor, action="enqueue_run", object_type="run", object_id=str(new.pk), after=about)
    ring(new.pk, new.kind)


def refuse_unknown_kind(kind: str) -> None:
    """Refuse a kind that is not in `Run.Kind`.

    Parameters
    ----------
    kind : str
        What was asked for.

    Raises
    ------
    UnknownRunKindError
        If the kind is not known.
    """
    if kind not in Run.Kind.values:
        allowed = ", ".join(sorted(Run.Kind.values))
        raise UnknownRunKindError(f"unknown kind of run: one of {allowed}, got {kind[:60]!r}", kind=kind[:60])


def _stored(new: Run) -> Run:
    same = Q(schedule=new.schedule, due_at=new.due_at) if new.schedule else Q()
    if new.idempotency_key is not None:
        same |= Q(idempotency_key=new.idempotency_key)
    run = Run.objects.get(same)
    by_key = new.idempotency_key is not None and run.idempotency_key == new.idempotency_key
    if by_key and (run.kind != new.kind or canonical_json(run.params) != canonical_json(new.params)):
        raise IdempotencyMismatchError(
            "this idempotency key was used for another request: send the same body, or a new key", run=str(run.pk)
        )
    return run
