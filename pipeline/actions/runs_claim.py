"""Take a run, by one conditional update: of any number of workers exactly one gets it."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Coalesce, Now

from features.ground.canonical import canonical_json
from pipeline.actions.runs_enqueue import refuse_unknown_kind
from pipeline.adapters.clock import from_now
from pipeline.models import Run


def claim_run(run_id: UUID, *, worker: str) -> Run | None:
    """Claim a run that is queued, or whose worker let its lease expire.

    Parameters
    ----------
    run_id : UUID
        The run.
    worker : str
        Who claims, as host:pid.

    Returns
    -------
    Run or None
        The run with its new token; None if it is not there, done, held by another, or out of attempts.
    """
    jobs = settings.CONFIG.jobs
    free = Q(state=Run.State.QUEUED) | Q(state=Run.State.RUNNING, lease_until__lt=Now())
    with transaction.atomic(durable=True):
        claimed = Run.objects.filter(free, pk=run_id, attempt__lt=jobs.max_attempts).update(
            state=Run.State.RUNNING,
            token=F("token") + 1,
            attempt=F("attempt") + 1,
            lease_until=from_now(jobs.lease_seconds),
            heartbeat_at=Now(),
            started_at=Coalesce("started_at", Now()),
            worker=worker[:200],
            progress=0,
            step="",
            error_code="",
            error="",
        )
        # Read inside the transaction: the row is ours until the commit, so the token is the one just given.
        return Run.objects.get(pk=run_id) if claimed else None


def start_run(kind: str, params: Mapping[str, Any], *, actor: str, worker: str) -> Run:
    """Write down a run that this process does itself, already claimed.

    Parameters
    ----------
    kind : str
        One of `Run.Kind`.
    params : Mapping
        What to do, JSON-compatible and finite.
    actor : str
        Who asks.
    worker : str
        This process, as host:pid.

    Returns
    -------
    Run
        Running, attempt and token 1.

    Raises
    ------
    UnknownRunKindError
        If the kind is not known.
    """
    refuse_unknown_kind(kind)
    canonical_json(params)
    run = Run(kind=kind, params=dict(params), actor=actor, worker=worker[:200], state=Run.State.RUNNING)
    run.attempt = run.token = 1
    run.enqueued_at = run.started_at = run.heartbeat_at = Now()
    run.lease_until = from_now(settings.CONFIG.jobs.lease_seconds)
    with transaction.atomic(durable=True):
        run.save(force_insert=True)
    run.refresh_from_db()
    return run
