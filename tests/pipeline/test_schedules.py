"""What is due, and when: each slot once."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django_celery_beat.models import CrontabSchedule, PeriodicTask

from models_store.models import AuditEntry
from pipeline.actions.schedules import CHORES, ensure_schedules, run_due, set_schedule
from pipeline.adapters.clock import database_now
from pipeline.core.slots import Crontab, last_crontab_slot, last_interval_slot
from pipeline.errors import InvalidScheduleError, UnknownRunKindError
from pipeline.models import Alert, Run

ALL = {"minutes": set(range(60)), "hours": set(range(24)), "weekdays": set(range(7))}
MONTHLY: dict[str, Any] = {"days": set(range(1, 32)), "months": set(range(1, 13))}

WRONG = ['{"kind": "dance"}', "[]", "{}", '{"kind": "noop", "params": 3}', '{"kind": "noop", "x": 1}', "{"]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "every_s", "slot"),
    [
        ("2026-01-01 00:00:00", 60, "2026-01-01 00:00:00"),
        ("2026-01-01 00:00:59", 60, "2026-01-01 00:00:00"),
        ("2026-01-01 10:59:59", 3600, "2026-01-01 10:00:00"),
    ],
)
def test_interval_slot_is_a_multiple_since_1970(now: str, every_s: float, slot: str) -> None:
    assert last_interval_slot(at(now), every_s) == at(slot)


@pytest.mark.parametrize(
    ("crontab", "now", "slot"),
    [
        ({}, "2026-01-01 00:00:30", "2026-01-01 00:00:00"),
        ({"minutes": {30}, "hours": {2}}, "2026-01-01 02:29:59", "2025-12-31 02:30:00"),
        ({"minutes": {30}, "hours": {2}}, "2026-01-01 02:30:00", "2026-01-01 02:30:00"),
        ({"minutes": {0, 15}, "hours": {9}}, "2026-01-01 09:10:00", "2026-01-01 09:00:00"),
        # The 1st of January 2026 is a Thursday; weekday 1 is Monday.
        ({"minutes": {0}, "hours": {0}, "weekdays": {1}}, "2026-01-01 12:00:00", "2025-12-29 00:00:00"),
        ({"minutes": {0}, "hours": {0}, "days": {29}, "months": {2}}, "2026-01-01 12:00:00", "2024-02-29 00:00:00"),
    ],
)
def test_crontab_slot_is_the_newest_minute_named(crontab: dict[str, Any], now: str, slot: str) -> None:
    assert last_crontab_slot(at(now), Crontab(**{**ALL, **MONTHLY, **crontab})) == at(slot)


def test_crontab_that_names_no_day_has_no_slot() -> None:
    never = Crontab(**{**ALL, **MONTHLY, "days": {30}, "months": {2}})
    assert last_crontab_slot(at("2026-01-01 00:00:00"), never) is None


@pytest.mark.django_db(transaction=True)
def test_chores_are_written_once() -> None:
    ensure_schedules()
    before = set(PeriodicTask.objects.values_list("pk", "date_changed"))
    ensure_schedules()
    assert set(PeriodicTask.objects.values_list("pk", "date_changed")) == before
    assert set(PeriodicTask.objects.values_list("task", flat=True)) == {*CHORES.values(), "pipeline.start_run"}


@pytest.mark.django_db(transaction=True)
def test_a_slot_after_the_schedule_was_set_starts_one_run() -> None:
    set_schedule("often", "noop", {"a": 1}, every_s=3600, actor="user:ann")
    assert run_due().started == ()
    started_yesterday("often")
    first, second = run_due(), run_due()
    assert first.schedules == 1
    assert first.started == second.started
    run = Run.objects.get()
    assert (run.kind, run.params, run.actor) == ("noop", {"a": 1}, "system")
    assert run.due_at == last_interval_slot(database_now(), 3600)


def started_yesterday(name: str) -> None:
    PeriodicTask.objects.filter(name=name).update(start_time=database_now() - timedelta(days=1))


@pytest.mark.django_db(transaction=True)
def test_schedule_is_changed_in_place() -> None:
    set_schedule("s", "noop", {}, every_s=60, actor="user:ann")
    set_schedule("s", "noop", {"b": 2}, every_s=120, actor="user:ann")
    row = PeriodicTask.objects.get(name="s")
    assert (row.interval.every, json.loads(row.kwargs)["params"]) == (120, {"b": 2})
    first, second = AuditEntry.objects.filter(action="set_schedule", object_id="s").order_by("id")
    assert (first.actor, first.before, first.after["every_s"]) == ("user:ann", {}, 60)
    assert (second.before["when"], second.after) == (
        "every 60 seconds",
        {"kind": "noop", "params": {"b": 2}, "every_s": 120},
    )


@pytest.mark.django_db(transaction=True)
def test_crontab_row_of_the_admin_starts_from_when_it_is_first_seen() -> None:
    crontab = CrontabSchedule.objects.create(minute="*", hour="*", timezone=ZoneInfo("Europe/Vienna"))
    kwargs = json.dumps({"kind": "noop"})
    PeriodicTask.objects.create(name="c", task="pipeline.start_run", crontab=crontab, kwargs=kwargs)
    assert run_due().started == ()
    assert PeriodicTask.objects.get(name="c").start_time is not None
    started_yesterday("c")
    assert len(run_due().started) == 1
    run = Run.objects.get()
    assert run.due_at is not None
    assert timedelta(0) <= database_now() - run.due_at < timedelta(minutes=1)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kwargs", WRONG)
def test_wrong_row_raises_an_alert_and_stops_no_other(kwargs: str) -> None:
    set_schedule("a wrong one", "noop", {}, every_s=60, actor="user:ann")
    set_schedule("right one", "noop", {}, every_s=60, actor="user:ann")
    PeriodicTask.objects.filter(name="a wrong one").update(kwargs=kwargs)
    started_yesterday("a wrong one")
    started_yesterday("right one")
    assert len(run_due().started) == 1
    assert "a wrong one" in Alert.objects.get().title


@pytest.mark.django_db(transaction=True)
def test_schedules_that_are_off_or_over_start_nothing() -> None:
    for name in ("off", "over"):
        set_schedule(name, "noop", {}, every_s=60, actor="user:ann")
        started_yesterday(name)
    PeriodicTask.objects.filter(name="off").update(enabled=False)
    PeriodicTask.objects.filter(name="over").update(expires=database_now() - timedelta(hours=1))
    assert run_due().schedules == 0


@pytest.mark.django_db(transaction=True)
def test_unknown_kind_and_interval_are_refused() -> None:
    with pytest.raises(UnknownRunKindError):
        set_schedule("s", "dance", {}, every_s=60, actor="user:ann")
    with pytest.raises(InvalidScheduleError, match="at least 1 second, got 0"):
        set_schedule("s", "noop", {}, every_s=0, actor="user:ann")
    refused = AuditEntry.objects.filter(action="set_schedule_refused").order_by("id")
    assert [entry.after["code"] for entry in refused] == ["unknown_run_kind", "invalid_schedule"]
    assert not PeriodicTask.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_compaction_is_scheduled_once_and_can_be_turned_off() -> None:
    ensure_schedules()
    PeriodicTask.objects.filter(name="compact tables").update(enabled=False)
    ensure_schedules()
    schedule = PeriodicTask.objects.get(name="compact tables")
    assert (schedule.enabled, schedule.interval.schedule.run_every.total_seconds()) == (False, 86_400)
    assert json.loads(schedule.kwargs) == {"kind": "compact", "params": {}}
