"""The life of a run: asked for, claimed, held, ended; swept, cancelled, retried."""

from pipeline.actions.runs_change import cancel_run, retry_run
from pipeline.actions.runs_claim import claim_run
from pipeline.actions.runs_enqueue import enqueue_run
from pipeline.actions.runs_execute import execute_run, run_inline
from pipeline.actions.runs_sweep import SweepResult, sweep_runs
from pipeline.core.run_context import RunContext

__all__ = [
    "RunContext",
    "SweepResult",
    "cancel_run",
    "claim_run",
    "enqueue_run",
    "execute_run",
    "retry_run",
    "run_inline",
    "sweep_runs",
]
