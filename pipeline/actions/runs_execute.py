"""Do a run: claim it, hold it, call its handler, record how it ended."""

import logging
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import structlog
from django.utils import timezone

from features.ground.errors import DomainError
from features.ground.progress import Report, silent
from features.ground.tracing import traced
from pipeline.actions.runs_claim import claim_run, start_run
from pipeline.actions.runs_finish import fail, interrupt, succeed
from pipeline.actions.runs_heartbeat import Heartbeat
from pipeline.adapters.processes import worker_name
from pipeline.adapters.run_logging import log_kept
from pipeline.core.failures import failure_code
from pipeline.core.run_context import RunContext
from pipeline.core.run_log import RunLog
from pipeline.errors import LeaseLostError
from pipeline.handlers import handler_of
from pipeline.models import Run

logger = logging.getLogger(__name__)


def execute_run(run_id: UUID, *, worker: str) -> Run | None:
    """Claim a run and do it; for a worker that was rung for.

    Parameters
    ----------
    run_id : UUID
        The run.
    worker : str
        Who works, as host:pid.

    Returns
    -------
    Run or None
        The run as it ended, succeeded or failed; None if it was not to be had, or was lost on the way.
    """
    run = claim_run(run_id, worker=worker)
    if run is None:
        return None
    try:
        return _attempt(run, silent)
    except LeaseLostError as error:
        logger.warning("%s", error.message)
        return None
    except DomainError as error:
        logger.info("run %s (%s) failed: %s: %s", run.pk, run.kind, error.code, error.message)
    except Exception:  # recorded in the row by _attempt: a worker must outlive what it runs
        logger.exception("run %s (%s) failed", run.pk, run.kind)
    run.refresh_from_db()
    return run


def run_inline(kind: str, params: Mapping[str, Any], *, actor: str, report: Report = silent) -> Run:
    """Do a run in this process, with the same bookkeeping as a worker's.

    Parameters
    ----------
    kind : str
        One of `Run.Kind`.
    params : Mapping
        What to do, JSON-compatible and finite.
    actor : str
        Who asks.
    report : Report
        Told of the progress too, beside the row.

    Returns
    -------
    Run
        Succeeded.

    Raises
    ------
    DomainError
        What the handler raised; the run is failed with its code.
    LeaseLostError
        If the run was cancelled, or taken by a worker while this process was frozen.
    """
    return _attempt(start_run(kind, params, actor=actor, worker=worker_name()), report)


@traced("run", lambda run, _: {"run.id": str(run.pk), "run.kind": str(run.kind), "run.attempt": run.attempt})
def _attempt(run: Run, shown: Report) -> Run:
    log = RunLog(run.log)
    log.add(timezone.now(), f"attempt {run.attempt}, worker {run.worker}")
    with Heartbeat(run, log) as beat, log_kept(run.pk, log):

        def report(percent: int, step: str) -> None:
            beat.report(percent, step)
            shown(percent, step)

        outcome = _call(run, report)
    log.add(timezone.now(), _ending(outcome))
    run.log = log.text()
    if isinstance(outcome, dict):
        return succeed(run, outcome)
    if isinstance(outcome, LeaseLostError):
        raise outcome
    if isinstance(outcome, KeyboardInterrupt):
        interrupt(run)
    elif isinstance(outcome, DomainError):
        fail(run, outcome.code, outcome.message)
    else:
        fail(run, failure_code(outcome), f"{type(outcome).__name__}: {outcome}")
    raise outcome


def _ending(outcome: dict[str, Any] | BaseException) -> str:
    if isinstance(outcome, DomainError):
        return f"{outcome.code}: {outcome.message}"
    return "done" if isinstance(outcome, dict) else f"{type(outcome).__name__}: {outcome}"


def _call(run: Run, report: Report) -> dict[str, Any] | BaseException:
    context = RunContext(run_id=run.pk, params=run.params, actor=run.actor, report=report)
    try:
        with structlog.contextvars.bound_contextvars(request_id=str(run.pk)):
            return handler_of(run.kind)(context)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 (handed to the caller, which records and raises it)
        return error
