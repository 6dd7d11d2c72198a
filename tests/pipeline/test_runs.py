"""A run asked for, claimed, done."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.db.models import F

from pipeline.actions import runs
from pipeline.adapters.clock import database_now
from pipeline.errors import (
    IdempotencyMismatchError,
    UnknownRunKindError,
)
from pipeline.handlers import HANDLERS, handler_of
from pipeline.models import Alert, Run
from tests.pipeline.jobs import NoThanksError
from tests.pipeline.run_steps import claimed, expire, race

pytestmark = pytest.mark.django_db(transaction=True)
SetHandler = Callable[[str], None]


def test_enqueued_run_waits_and_rings_after_the_commit(rung: list[Any]) -> None:
    run = runs.enqueue_run("noop", {"a": 1}, actor="user:alice")
    assert (run.state, run.params, run.actor, run.attempt, run.token) == ("queued", {"a": 1}, "user:alice", 0, 0)
    assert abs((run.enqueued_at - datetime.now(UTC)).total_seconds()) < 5
    assert rung == [run.pk]


def test_unknown_kind_is_refused() -> None:
    with pytest.raises(UnknownRunKindError, match=r"one of compact, drift, ingest.*got 'dance'"):
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
