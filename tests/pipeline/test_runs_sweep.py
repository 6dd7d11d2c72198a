"""Runs swept, cancelled, retried."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from features.ground.errors import DomainError
from pipeline.actions import runs
from pipeline.adapters.clock import from_now
from pipeline.errors import (
    RunStateError,
    UnknownRunError,
)
from pipeline.models import Alert, Run
from tests.pipeline.run_steps import claimed, expire, race

pytestmark = pytest.mark.django_db(transaction=True)
SetHandler = Callable[[str], None]


def test_sweep_puts_back_an_expired_run_and_rings(rung: list[Any]) -> None:
    run = claimed()
    rung.clear()
    assert runs.sweep_runs() == runs.SweepResult(requeued=0, failed=0, rung=0)
    expire(run)
    assert runs.sweep_runs().requeued == 1
    run.refresh_from_db()
    assert (run.state, run.token, run.attempt) == ("queued", 2, 1)
    assert rung == [run.pk]


def test_sweep_fails_a_run_after_its_third_lost_worker() -> None:
    run = runs.enqueue_run("noop", {}, actor="system")
    for attempt in (1, 2, 3):
        taken = runs.claim_run(run.pk, worker=f"here:{attempt}")
        assert taken is not None
        expire(taken)
        swept = runs.sweep_runs()
        assert (swept.requeued, swept.failed) == ((1, 0) if attempt < 3 else (0, 1))
    run.refresh_from_db()
    assert (run.state, run.error_code, run.attempt) == ("failed", "worker_lost", 3)
    assert "died 3 times, last here:3" in run.error
    assert Alert.objects.get().run_id == run.pk


def test_sweep_rings_again_for_a_forgotten_run_once_a_minute(rung: list[Any]) -> None:
    run = runs.enqueue_run("noop", {}, actor="system")
    rung.clear()
    Run.objects.filter(pk=run.pk).update(enqueued_at=from_now(-61))
    assert runs.sweep_runs().rung == 1
    assert runs.sweep_runs().rung == 0
    assert rung == [run.pk]


def test_many_sweepers_put_a_run_back_once() -> None:
    run = claimed()
    expire(run)
    swept = race(lambda _: runs.sweep_runs(), 6)
    assert sum(result.requeued for result in swept) == 1


def test_failed_run_is_retried_with_all_attempts(rung: list[Any], handler: SetHandler) -> None:
    handler("refuse")
    run = runs.enqueue_run("noop", {}, actor="system")
    runs.execute_run(run.pk, worker="here:1")
    rung.clear()
    again = runs.retry_run(run.pk, actor="user:bob")
    assert (again.state, again.attempt, again.actor, again.error_code) == ("queued", 0, "user:bob", "")
    assert rung == [run.pk]


def test_retry_and_cancel_are_refused_in_the_wrong_state() -> None:
    run = runs.enqueue_run("noop", {}, actor="system")
    with pytest.raises(RunStateError, match="must be failed or cancelled, it is queued"):
        runs.retry_run(run.pk, actor="system")
    runs.cancel_run(run.pk, actor="system")
    with pytest.raises(RunStateError, match="must be queued or running, it is cancelled"):
        runs.cancel_run(run.pk, actor="system")
    with pytest.raises(UnknownRunError):
        runs.cancel_run(uuid4(), actor="system")


def test_a_scheduled_success_closes_the_alert_of_its_failure(handler: SetHandler) -> None:
    due = datetime(2026, 1, 1, tzinfo=UTC)
    handler("refuse")
    runs.execute_run(runs.enqueue_run("noop", {}, actor="s", schedule="daily", due_at=due).pk, worker="here:1")
    handler("steps")
    later = due.replace(day=2)
    run = runs.enqueue_run("noop", {"steps": 0}, actor="s", schedule="daily", due_at=later)
    runs.execute_run(run.pk, worker="here:1")
    assert Alert.objects.get().state == "closed"


def test_errors_of_runs_are_json() -> None:
    with pytest.raises(DomainError) as caught:
        runs.cancel_run(uuid4(), actor="system")
    assert json.loads(json.dumps(caught.value.as_dict()))["code"] == "unknown_run"
