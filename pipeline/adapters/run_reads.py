"""Runs as commands and the API show them."""

from typing import Any
from uuid import UUID

from features.ground.errors import bounded
from pipeline.errors import UnknownRunError
from pipeline.models import Run

SHOWN = ("kind", "state", "params", "progress", "step", "attempt", "actor", "worker", "result", "schedule")
TIMES = ("created_at", "enqueued_at", "started_at", "heartbeat_at", "finished_at", "due_at")


def run_by_id(text: str) -> Run:
    """Return the run of an id.

    Raises
    ------
    UnknownRunError
        If no run has it.
    """
    try:
        run = Run.objects.filter(pk=UUID(text)).first()
    except ValueError:
        run = None
    if run is None:
        raise UnknownRunError(f"no run {bounded(text, 60)!r}: `runs` lists them", run=bounded(text, 60))
    return run


def run_with_log(run: Run) -> dict[str, Any]:
    """Return what anybody who may read runs sees of one that is looked at by itself."""
    return {**run_as_dict(run), "log": run.log.splitlines()}


def run_as_dict(run: Run) -> dict[str, Any]:
    """Return what anybody who may read runs sees of one."""
    error = {"code": run.error_code, "error": run.error} if run.error_code else None
    shown = {name: getattr(run, name) for name in SHOWN}
    times = {name: getattr(run, name) for name in TIMES}
    return {"id": str(run.pk), **shown, "error": error, **times}
