"""What the prediction log keeps when its server is killed under load, or its database is held or away."""

import signal
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from tests.mlsite.test_supervisor import wait_for
from tests.predictions.served import Load, Served

FLUSH_S, WRITE_S = 0.2, 0.5
# An answer this old outlives its server: twice what the settings promise, for threads that wait for a busy machine.
WINDOW_S = 2 * (FLUSH_S + WRITE_S) + 0.5


def serve(factory: pytest.TempPathFactory, **more: str) -> Served:
    times = {"PREDICTION_LOG__FLUSH_SECONDS": str(FLUSH_S), "PREDICTION_LOG__WRITE_TIMEOUT_S": str(WRITE_S)}
    served = Served(factory, **times, **more)
    served.start()
    return served


@pytest.fixture
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    site = serve(tmp_path_factory)
    yield site
    site.stop(signal.SIGKILL)


@pytest.fixture
def durable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    site = serve(tmp_path_factory, PREDICTION_LOG__DURABLE="true")
    yield site
    site.stop(signal.SIGKILL)


def stored(served: Served) -> list[str]:
    with sqlite3.connect(served.var_dir / "db.sqlite3", timeout=20) as database:
        return [str(UUID(key)) for (key,) in database.execute("SELECT id FROM predictions_prediction")]


def spooled(served: Served) -> list[Path]:
    return list((served.var_dir / "spool").glob("*.jsonl"))


def kill_and_restart(served: Served) -> float:
    """Kill the server while it is being asked; return when, once its successor has stored what it left on disk."""
    at = time.monotonic()
    served.kill()
    left = set(spooled(served))
    served.start()
    wait_for(lambda: left.isdisjoint(spooled(served)), 140)
    return at


def test_a_killed_server_loses_no_more_than_the_window(served: Served) -> None:
    with Load(served) as load:
        for _ in range(2):
            since = time.monotonic()
            time.sleep(3)
            killed = kill_and_restart(served)
            old = load.ids(before=killed - WINDOW_S) - load.ids(before=since)
            assert len(old) > 50
            assert old - set(stored(served)) == set()


@pytest.mark.timeout(400)
def test_a_killed_server_loses_nothing_if_the_log_is_durable(durable: Served) -> None:
    with Load(durable) as load:
        time.sleep(1)
        killed = kill_and_restart(durable)
        answered = load.ids(before=killed)
    assert len(answered) > 20
    assert answered - set(stored(durable)) == set()


def test_a_held_database_delays_rows_and_loses_none(served: Served) -> None:
    # Others may write for a long time; the server is killed while they do.
    with Load(served) as load:
        time.sleep(1)
        other = sqlite3.connect(served.var_dir / "db.sqlite3", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        time.sleep(4)
        assert spooled(served)
        before = time.monotonic()
        served.kill()
        other.execute("ROLLBACK")
        other.close()
        served.start()
        wait_for(lambda: not spooled(served), 60)
        old = load.ids(before=before - WINDOW_S)
        assert len(old) > 300
        assert old - set(stored(served)) == set()


def test_every_answer_is_counted_once_whatever_the_database_does(served: Served) -> None:
    with Load(served) as load:
        for _ in range(2):
            time.sleep(0.7)
            other = sqlite3.connect(served.var_dir / "db.sqlite3", isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
            time.sleep(2)
            other.execute("ROLLBACK")
            other.close()
    wait_for(lambda: not spooled(served) and sum(counts(served)[1:]) == counts(served)[0], 60)
    accepted, written, kept, shed = counts(served)
    assert (accepted, shed) == (written + kept, 0)
    assert kept == served.metric("prediction_log_restored_total") > 0
    rows = stored(served)
    assert len(rows) == len(set(rows)) == accepted
    assert load.ids() <= set(rows)


def counts(served: Served) -> list[int]:
    return [served.metric(f"prediction_log_{name}_total") for name in ("accepted", "written", "spooled", "shed")]


def test_a_full_spool_sheds_and_says_so(tmp_path_factory: pytest.TempPathFactory) -> None:
    rows = b'{"data": [' + b", ".join([b'[4.0, 1.5, "red"]'] * 900) + b"]}"
    site = serve(tmp_path_factory, PREDICTION_LOG__SPOOL_MB="1", PREDICTION_LOG__BUFFER_ROWS="1000")
    try:
        other = sqlite3.connect(site.var_dir / "db.sqlite3", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        for _ in range(60):
            assert site.ask(body=rows)
        other.execute("ROLLBACK")
        other.close()
        wait_for(lambda: not spooled(site) and sum(counts(site)[1:]) == counts(site)[0], 60)
        accepted, written, kept, shed = counts(site)
        assert accepted == written + kept + shed
        assert shed > 0
        assert len(stored(site)) == accepted - shed
    finally:
        site.stop(signal.SIGKILL)
