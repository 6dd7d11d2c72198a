"""A run held: tokens, heartbeats, progress."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from pipeline.actions import runs
from pipeline.actions.runs_finish import fail, succeed
from pipeline.actions.runs_heartbeat import Heartbeat
from pipeline.adapters.clock import database_now, from_now
from pipeline.errors import (
    LeaseLostError,
)
from pipeline.models import Alert, Run
from tests.pipeline.run_steps import claimed, expire, wait_until

pytestmark = pytest.mark.django_db(transaction=True)
SetHandler = Callable[[str], None]


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


def test_heartbeat_takes_a_new_connection_after_its_own_broke() -> None:
    run = claimed()
    beat = Heartbeat(run)
    connection.ensure_connection()
    connection.connection.close()
    assert beat._renew(3, "broken")
    assert beat._renew(4, "mended")
    run.refresh_from_db()
    assert run.progress == 4
