"""What runs by itself, and when."""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import transaction

from features.ground.audit import record_audit, refusals_audited
from features.ground.canonical import canonical_json
from pipeline.actions.alerts import raise_alert
from pipeline.actions.runs_enqueue import enqueue_run, refuse_unknown_kind
from pipeline.adapters.beat import START_RUN, Schedule, add_task, interval_row, put_task, run_schedules, schedule_said
from pipeline.adapters.clock import database_now
from pipeline.errors import InvalidScheduleError, PipelineError

logger = logging.getLogger(__name__)
CHORES = {
    "sweep runs": "pipeline.sweep",
    "start due runs": "pipeline.run_due",
    "deliver alerts": "pipeline.deliver_alerts",
    "deliver events": "pipeline.deliver_events",
    "apply due promotions": "pipeline.apply_due",
    "guard canaries": "pipeline.guard_canaries",
    "sign the audit": "pipeline.checkpoint_audit",
    "keep days of the prediction log": "pipeline.keep_partitions",
}
COMPACTION = "compact tables"
DAY_S = 86_400


@dataclass(frozen=True, kw_only=True, slots=True)
class DueResult:
    """What one look at the schedules did."""

    schedules: int
    started: tuple[str, ...]


def ensure_schedules() -> None:
    """Write the chores every installation has into the beat's table; safe to repeat.

    Tables are compacted daily, unless somebody has changed that schedule or turned it off.
    """
    seconds = max(1, round(settings.CONFIG.jobs.sweep_seconds))
    with transaction.atomic(durable=True):
        interval = interval_row(seconds)
        for name, task in CHORES.items():
            # A chore nobody took within its interval is stale: the next one does its work.
            put_task(name, task, interval=interval, queue="default", expire_seconds=seconds)
        kwargs = json.dumps({"kind": "compact", "params": {}})
        add_task(COMPACTION, START_RUN, interval=interval_row(DAY_S), kwargs=kwargs)


@refusals_audited("set_schedule", object_type="schedule", of="name")
def set_schedule(
    name: str, kind: str, params: Mapping[str, Any], *, every_s: int, actor: str, reason: str = ""
) -> None:
    """Ask for a run of a kind at every interval, from now on.

    Parameters
    ----------
    name : str
        Unique name of the schedule.
    kind : str
        One of `Run.Kind`.
    params : Mapping
        Params of each run.
    every_s : int
        Interval in seconds, at least 1.
    actor : str
        Who asks, such as `user:alice`.
    reason : str
        Why.

    Raises
    ------
    UnknownRunKindError
        If the kind is not known.
    InvalidScheduleError
        If the interval is not positive.
    """
    refuse_unknown_kind(kind)
    if every_s < 1:
        raise InvalidScheduleError(f"every_s must be at least 1 second, got {every_s}", every_s=every_s)
    asked = {"kind": kind, "params": json.loads(canonical_json(dict(params)))}
    now = database_now()
    with transaction.atomic(durable=True):
        before = schedule_said(name)
        kwargs = json.dumps(asked, sort_keys=True)
        put_task(name, START_RUN, interval=interval_row(every_s), crontab=None, kwargs=kwargs, start_time=now)
        record_audit(
            actor=actor,
            action="set_schedule",
            object_type="schedule",
            object_id=name,
            before=before,
            after={**asked, "every_s": every_s},
            reason=reason,
        )


def run_due() -> DueResult:
    """Enqueue every run that is due, once each, whoever looks and however often.

    Only the newest missed slot of a schedule is made up for, and none from before the schedule was first seen.

    Returns
    -------
    DueResult
        How many schedules there are, and the ids of the runs of their newest slots.
    """
    now = database_now()
    schedules = list(run_schedules(now))
    started = []
    for schedule in schedules:
        slot = schedule.last_due(now)
        if schedule.first_seen is None:
            _note_first_seen(schedule)
        elif slot is not None and slot > schedule.first_seen:
            started += _start(schedule, slot)
    return DueResult(schedules=len(schedules), started=tuple(started))


def _note_first_seen(schedule: Schedule) -> None:
    with transaction.atomic(durable=True):
        schedule.row.start_time = database_now()
        schedule.row.save()


def _start(schedule: Schedule, slot: Any) -> list[str]:
    try:
        kind, params = schedule.request()
        run = enqueue_run(kind, params, actor="system", schedule=schedule.name, due_at=slot)
    except (ValueError, TypeError, PipelineError) as error:
        # One wrong row must not stop the others.
        logger.warning("schedule %s: %s", schedule.name, error)
        raise_alert(f"schedule:{schedule.name}", f"schedule {schedule.name} can't start a run", detail=str(error))
        return []
    return [str(run.pk)]
