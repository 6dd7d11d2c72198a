"""The life of a run in one process."""

import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.db import connection
from django.db.models import F

from features.ground.errors import DomainError
from pipeline.actions import runs
from pipeline.actions.runs_finish import fail, succeed
from pipeline.actions.runs_heartbeat import Heartbeat
from pipeline.adapters.clock import database_now, from_now
from pipeline.errors import (
    IdempotencyMismatchError,
    LeaseLostError,
    RunStateError,
    UnknownRunError,
    UnknownRunKindError,
)
from pipeline.handlers import HANDLERS, handler_of
from pipeline.models import Alert, Run
from pipeline.signals import run_queued
from tests.pipeline.jobs import NoThanksError

pytestmark = pytest.mark.django_db(transaction=True)
SetHandler = Callable[[str], None]


@pytest.fixture
def handler(monkeypatch: pytest.MonkeyPatch) -> SetHandler:
    return lambda name: monkeypatch.setitem(HANDLERS, "noop", f"tests.pipeline.jobs.{name}")


@pytest.fixture
def rung() -> Iterator[list[Any]]:
    ids: list[Any] = []

    def note(run_id: Any, **_: Any) -> None:
        ids.append(run_id)

    run_queued.connect(note)
    yield ids
    run_queued.disconnect(note)


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def change(**values: Any) -> None:
        config = settings.CONFIG
        monkeypatch.setattr(
            settings, "CONFIG", config.model_copy(update={"jobs": config.jobs.model_copy(update=values)})
        )

    return change


def expire(run: Run) -> None:
    Run.objects.filter(pk=run.pk).update(lease_until=from_now(-1))


def claimed(**params: Any) -> Run:
    run = runs.claim_run(runs.enqueue_run("noop", params, actor="system").pk, worker="here:1")
    assert run is not None
    return run


def test_enqueued_run_waits_and_rings_after_the_commit(rung: list[Any]) -> None:
    run = runs.enqueue_run("noop", {"a": 1}, actor="user:alice")
    assert (run.state, run.params, run.actor, run.attempt, run.token) == ("queued", {"a": 1}, "user:alice", 0, 0)
    assert abs((run.enqueued_at - datetime.now(UTC)).total_seconds()) < 5
    assert rung == [run.pk]


def test_unknown_kind_is_refused() -> None:
    with pytest.raises(UnknownRunKindError, match=r"one of drift, ingest.*got 'dance'"):
        runs.enqueue_run("dance", {}, actor="system")
    with pytest.raises(UnknownRunKindError):
        runs.run_inline("dance", {}, actor="system")
    assert not Run.objects.exists()


def test_params_with_nan_are_refused() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        runs.enqueue_run("noop", {"a": float("nan")}, actor="system")


def test_every_kind_has_a_handler() -> None:
    assert set(HANDLERS) == set(Run.Kind.values)
    with pytest.raises(UnknownRunKindError, match="got 'dance'"):
        handler_of("dance")


def test_same_key_and_body_give_the_stored_run(rung: list[Any]) -> None:
    first = runs.enqueue_run("noop", {"a": 1, "b": 2}, actor="system", idempotency_key="k")
    again = runs.enqueue_run("noop", {"b": 2, "a": 1}, actor="system", idempotency_key="k")
    assert again.pk == first.pk
    assert rung == [first.pk]


def test_same_key_with_another_body_is_refused() -> None:
    runs.enqueue_run("noop", {"a": 1}, actor="system", idempotency_key="k")
    with pytest.raises(IdempotencyMismatchError, match="send the same body, or a new key"):
        runs.enqueue_run("noop", {"a": 2}, actor="system", idempotency_key="k")


def test_a_slot_of_a_schedule_holds_one_run() -> None:
    due = datetime(2026, 1, 1, tzinfo=UTC)
    first = runs.enqueue_run("noop", {}, actor="system", schedule="daily", due_at=due)
    second = runs.enqueue_run("noop", {"other": 1}, actor="system", schedule="daily", due_at=due)
    assert first.pk == second.pk


def test_claim_takes_token_attempt_and_lease_from_the_database_clock(jobs: Callable[..., None]) -> None:
    jobs(lease_seconds=30)
    run = claimed()
    assert (run.state, run.token, run.attempt, run.worker) == ("running", 1, 1, "here:1")
    assert run.lease_until is not None
    assert 25 < (run.lease_until - database_now()).total_seconds() <= 30


def test_claim_is_refused_while_the_lease_holds() -> None:
    run = claimed()
    assert runs.claim_run(run.pk, worker="there:2") is None
    assert runs.claim_run(uuid4(), worker="there:2") is None


def test_claim_of_an_expired_lease_takes_the_run_over() -> None:
    run = claimed()
    expire(run)
    second = runs.claim_run(run.pk, worker="there:2")
    assert second is not None
    assert (second.token, second.attempt, second.worker) == (2, 2, "there:2")


def test_claim_is_refused_when_the_attempts_are_used_up(jobs: Callable[..., None]) -> None:
    jobs(max_attempts=1)
    run = claimed()
    expire(run)
    assert runs.claim_run(run.pk, worker="there:2") is None


def test_exactly_one_of_many_claimers_wins() -> None:
    for _ in range(5):
        run = runs.enqueue_run("noop", {}, actor="system")
        winners = race(lambda number, run=run: runs.claim_run(run.pk, worker=f"here:{number}"), 8)
        assert len([winner for winner in winners if winner]) == 1
        run.refresh_from_db()
        assert (run.token, run.attempt) == (1, 1)


def test_exactly_one_run_comes_of_many_requests_with_one_key() -> None:
    made = race(lambda _: runs.enqueue_run("noop", {}, actor="system", idempotency_key="one"), 8)
    assert len({run.pk for run in made}) == 1
    assert Run.objects.count() == 1


def race(act: Callable[[int], Any], number: int) -> list[Any]:
    """Call a function from many threads at once and return what each got."""
    barrier, got = threading.Barrier(number), [None] * number

    def call(place: int) -> None:
        barrier.wait()
        try:
            got[place] = act(place)
        finally:
            connection.close()

    threads = [threading.Thread(target=call, args=(place,)) for place in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return got


def test_stale_token_writes_nothing() -> None:
    stale = claimed()
    expire(stale)
    fresh = runs.claim_run(stale.pk, worker="there:2")
    with pytest.raises(LeaseLostError, match="its result is not recorded"):
        succeed(stale, {"who": "stale"})
    with pytest.raises(LeaseLostError):
        fail(stale, "x", "y")
    assert not Alert.objects.exists()
    assert fresh is not None
    assert succeed(fresh, {"who": "fresh"}).result == {"who": "fresh"}


def test_heartbeat_renews_the_lease_and_writes_the_progress(jobs: Callable[..., None]) -> None:
    jobs(heartbeat_seconds=0.05, lease_seconds=30)
    run = claimed()
    Run.objects.filter(pk=run.pk).update(lease_until=from_now(5))
    with Heartbeat(run) as beat:
        beat.report(250, "over the top")
        wait_until(lambda: Run.objects.get(pk=run.pk).progress == 100)
    run.refresh_from_db()
    assert run.step == "over the top"
    assert (run.lease_until - database_now()).total_seconds() > 20


def test_progress_is_written_at_most_once_a_second(handler: SetHandler, django_assert_max_num_queries: Any) -> None:
    handler("steps")
    run = runs.enqueue_run("noop", {"steps": 20}, actor="system")
    with django_assert_max_num_queries(20):
        done = runs.execute_run(run.pk, worker="here:1")
    assert done is not None
    assert (done.state, done.progress) == ("succeeded", 100)


def test_cancelled_run_stops_its_worker_and_stays_cancelled(jobs: Callable[..., None]) -> None:
    jobs(heartbeat_seconds=0.05)
    run = claimed()
    with Heartbeat(run) as beat:
        runs.cancel_run(run.pk, actor="user:alice")
        with pytest.raises(LeaseLostError, match="cancelled or taken by another"):
            wait_until(lambda: beat.report(1, "working"))
    run.refresh_from_db()
    assert (run.state, run.error) == ("cancelled", "cancelled by user:alice")


def test_heartbeat_outlives_a_failing_database(jobs: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    jobs(heartbeat_seconds=0.05)
    run = claimed()
    # A worker whose row is in a table that is gone for a while sees just what it sees when the server is away.
    table = Run._meta.db_table
    with Heartbeat(run) as beat:
        monkeypatch.setattr(Run._meta, "db_table", "gone")
        wait_until(lambda: threading.Event().wait(0.2) or True)
        monkeypatch.setattr(Run._meta, "db_table", table)
        beat.report(7, "still here")
        wait_until(lambda: Run.objects.get(pk=run.pk).progress == 7)


def wait_until(done: Callable[[], Any], seconds: float = 10) -> None:
    pause = threading.Event()
    for _ in range(int(seconds / 0.02)):
        if done():
            return
        pause.wait(0.02)
    raise AssertionError("it did not happen in time")


def test_executed_run_keeps_its_result_without_nan(handler: SetHandler, tmp_path: Path) -> None:
    handler("mark")
    run = runs.execute_run(runs.enqueue_run("noop", {"file": str(tmp_path / "m")}, actor="system").pk, worker="here:1")
    assert run is not None
    assert (run.state, run.progress, run.lease_until) == ("succeeded", 100, None)
    assert run.result == {"marked": True, "mean": None, "at": "x"}
    assert runs.execute_run(run.pk, worker="here:1") is None


def test_refusal_fails_the_run_with_its_code_and_raises_an_alert(handler: SetHandler) -> None:
    handler("refuse")
    run = runs.execute_run(runs.enqueue_run("noop", {}, actor="system").pk, worker="here:1")
    assert run is not None
    assert (run.state, run.error_code, run.error) == ("failed", "no_thanks", "not today: try tomorrow")
    alert = Alert.objects.get()
    assert (alert.severity, alert.run_id) == ("critical", run.pk)
    assert alert.title.endswith("failed: no_thanks")


@pytest.mark.parametrize(("name", "code"), [("crash", "internal_error"), ("disk_full", "disk_full")])
def test_unexpected_error_fails_the_run_and_is_logged(
    handler: SetHandler, caplog: pytest.LogCaptureFixture, name: str, code: str
) -> None:
    handler(name)
    run = runs.execute_run(runs.enqueue_run("noop", {}, actor="system").pk, worker="here:1")
    assert run is not None
    assert (run.state, run.error_code) == ("failed", code)
    assert "Traceback" in caplog.text


def test_lost_run_is_left_to_its_new_worker(handler: SetHandler, monkeypatch: pytest.MonkeyPatch) -> None:
    run = runs.enqueue_run("noop", {}, actor="system")

    def taken(context: Any) -> dict[str, Any]:
        Run.objects.filter(pk=context.run_id).update(token=F("token") + 1)
        return {"who": "stale"}

    monkeypatch.setattr("tests.pipeline.jobs.mark", taken)
    handler("mark")
    assert runs.execute_run(run.pk, worker="here:1") is None
    run.refresh_from_db()
    assert (run.state, run.result) == ("running", {})


def test_inline_run_is_booked_like_a_workers_and_shows_its_progress(handler: SetHandler) -> None:
    handler("steps")
    shown: list[tuple[int, str]] = []
    run = runs.run_inline(
        "noop", {"steps": 2}, actor="cli:me", report=lambda percent, step: shown.append((percent, step))
    )
    assert (run.state, run.attempt, run.token, run.actor) == ("succeeded", 1, 1, "cli:me")
    assert shown == [(0, "step 0"), (1, "step 1")]


def test_inline_refusal_rises_and_is_booked(handler: SetHandler) -> None:
    handler("refuse")
    with pytest.raises(NoThanksError):
        runs.run_inline("noop", {}, actor="cli:me")
    assert Run.objects.get().error_code == "no_thanks"


def test_inline_interrupt_cancels_the_run(handler: SetHandler) -> None:
    handler("interrupted")
    with pytest.raises(KeyboardInterrupt):
        runs.run_inline("noop", {}, actor="cli:me")
    run = Run.objects.get()
    assert (run.state, run.error_code) == ("cancelled", "interrupted")


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
