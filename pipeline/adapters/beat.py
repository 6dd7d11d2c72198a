"""The schedules as django-celery-beat keeps them."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db.models import Q
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask

from pipeline.core.slots import Crontab, last_crontab_slot, last_interval_slot

START_RUN = "pipeline.start_run"


@dataclass(frozen=True, kw_only=True, slots=True)
class Schedule:
    """A row that asks for runs."""

    row: PeriodicTask
    name: str
    kwargs: str
    first_seen: datetime | None

    def last_due(self, now: datetime) -> datetime | None:
        """Return the newest slot not after `now`; None for a rhythm that has no slots."""
        if self.row.interval:
            return last_interval_slot(now, self.row.interval.schedule.run_every.total_seconds())
        if self.row.crontab is None:
            return None
        slot = last_crontab_slot(now.astimezone(self.row.crontab.timezone), crontab_of(self.row.crontab))
        return slot.astimezone(UTC) if slot else None

    def request(self) -> tuple[str, dict[str, Any]]:
        """Return kind and params; ValueError or TypeError if the row holds something else."""
        asked = json.loads(self.kwargs)
        if not isinstance(asked, dict) or set(asked) - {"kind", "params"} or not isinstance(asked.get("kind"), str):
            raise ValueError("kwargs must be an object with kind and params")
        params = asked.get("params", {})
        return asked["kind"], dict(params)


def crontab_of(row: CrontabSchedule) -> Crontab:
    """Return the parsed form of a crontab row."""
    parsed = row.schedule
    return Crontab(
        minutes=parsed.minute,
        hours=parsed.hour,
        weekdays=parsed.day_of_week,
        days=parsed.day_of_month,
        months=parsed.month_of_year,
    )


def run_schedules(now: datetime) -> Iterator[Schedule]:
    """Yield every schedule that is on and asks for runs."""
    rows = PeriodicTask.objects.filter(Q(expires=None) | Q(expires__gt=now), task=START_RUN, enabled=True)
    for row in rows.select_related("interval", "crontab").order_by("pk"):
        yield Schedule(row=row, name=f"{row.pk} {row.name}"[:100], kwargs=row.kwargs, first_seen=row.start_time)


def interval_row(seconds: int) -> IntervalSchedule:
    """Return the row of an interval, made if needed."""
    rows = IntervalSchedule.objects.filter(every=seconds, period=IntervalSchedule.SECONDS)
    # Not get_or_create: nothing keeps two equal rows from existing already.
    return rows.first() or IntervalSchedule.objects.create(every=seconds, period=IntervalSchedule.SECONDS)


def put_task(name: str, task: str, **fields: Mapping[str, Any] | Any) -> None:
    """Write a row of the beat, unless it is there as asked already."""
    row = PeriodicTask.objects.filter(name=name).first() or PeriodicTask(name=name)
    wanted = {"task": task, **fields}
    if row.pk and all(getattr(row, key) == value for key, value in wanted.items()):
        return
    for key, value in wanted.items():
        setattr(row, key, value)
    row.save()


def schedule_said(name: str) -> dict[str, Any]:
    """Return what a row of the beat says now, for the audit; empty where there is none."""
    row = PeriodicTask.objects.filter(name=name).first()
    return {"task": row.task, "when": str(row.scheduler), "kwargs": row.kwargs, "enabled": row.enabled} if row else {}


def add_task(name: str, task: str, **fields: Mapping[str, Any] | Any) -> None:
    """Write a row of the beat, unless there is one of this name, whatever it says."""
    if not PeriodicTask.objects.filter(name=name).exists():
        put_task(name, task, **fields)
