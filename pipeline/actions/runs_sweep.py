"""Find runs whose worker is gone, and runs nobody was rung for."""

from dataclasses import dataclass

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from pipeline.actions.ingest_upload import sweep_uploads
from pipeline.actions.runs_enqueue import ring
from pipeline.actions.runs_finish import alert_failure
from pipeline.adapters.clock import from_now
from pipeline.models import Run

RING_AGAIN_SECONDS = 60
BATCH = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class SweepResult:
    """What one sweep did, in numbers of runs."""

    requeued: int
    failed: int
    rung: int


def sweep_runs() -> SweepResult:
    """Put back runs with an expired lease, fail those out of attempts, ring again for forgotten ones.

    Files that were uploaded for runs that have ended go too. Safe to run at any time, by any number of processes.

    Returns
    -------
    SweepResult
        How many runs were changed in each way.
    """
    expired = list(Run.objects.filter(state=Run.State.RUNNING, lease_until__lt=Now())[:BATCH])
    out_of_attempts = [run for run in expired if run.attempt >= settings.CONFIG.jobs.max_attempts]
    failed = sum(_give_up(run) for run in out_of_attempts)
    requeued = sum(_requeue(run) for run in expired if run not in out_of_attempts)
    forgotten = Run.objects.filter(state=Run.State.QUEUED, enqueued_at__lt=from_now(-RING_AGAIN_SECONDS))
    rung = sum(_ring_again(run) for run in forgotten.order_by("enqueued_at")[:BATCH])
    sweep_uploads()
    return SweepResult(requeued=requeued, failed=failed, rung=rung)


def _requeue(run: Run) -> bool:
    held = Run.objects.filter(pk=run.pk, token=run.token, state=Run.State.RUNNING, lease_until__lt=Now())
    with transaction.atomic(durable=True):
        # The token goes up here too: the old worker is fenced before a new one has claimed.
        changed = held.update(
            state=Run.State.QUEUED, token=F("token") + 1, lease_until=None, enqueued_at=Now(), step="", progress=0
        )
        if changed:
            ring(run.pk, run.kind)
    return bool(changed)


def _give_up(run: Run) -> bool:
    text = f"its worker died {run.attempt} times, last {run.worker}; see the worker's log, then retry it"
    held = Run.objects.filter(pk=run.pk, token=run.token, state=Run.State.RUNNING, lease_until__lt=Now())
    with transaction.atomic(durable=True):
        changed = held.update(
            state=Run.State.FAILED, finished_at=Now(), lease_until=None, error_code="worker_lost", error=text
        )
    if changed:
        alert_failure(run, "worker_lost", text)
    return bool(changed)


def _ring_again(run: Run) -> bool:
    # `enqueued_at` is when it was last rung for, so a long queue is not rung for at every sweep.
    waiting = Run.objects.filter(pk=run.pk, state=Run.State.QUEUED, enqueued_at=run.enqueued_at)
    with transaction.atomic(durable=True):
        changed = waiting.update(enqueued_at=Now())
        if changed:
            ring(run.pk, run.kind)
    return bool(changed)
