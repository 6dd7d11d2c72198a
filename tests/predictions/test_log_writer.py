"""One process writes for all web workers: what is counted stands in the log once, whoever of them is killed."""

import os
import re
import signal
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from django.db import connections

from mlsite.log_writer import Writing
from predictions.actions.log_predictions import flush_log, log, write_through
from predictions.adapters.log_link import LogLink
from predictions.models import Prediction
from tests.mlsite.test_supervisor import alive, wait_for
from tests.mlsite.test_web import held, listening
from tests.predictions.conftest import Configure
from tests.predictions.served import Load, Served
from tests.predictions.test_log import count, entry
from tests.predictions.tiny import register

DIRECT = "this process writes its prediction log itself until the log writer does"


@pytest.fixture
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    site = Served(tmp_path_factory, workers=2, PROCESS_ROLE="web", PREDICTION_LOG__FLUSH_SECONDS="0.05")
    site.start()
    wait_for(lambda: said(site, "web").count(" answers, ") == 2)
    yield site
    site.stop(signal.SIGKILL)


def children(served: Served) -> list[int]:
    assert served.process is not None
    return [
        int(pid) for pid in Path(f"/proc/{served.process.pid}/task/{served.process.pid}/children").read_text().split()
    ]


def said(served: Served, role: str) -> str:
    return "".join(path.read_text() for path in (served.var_dir / "logs").glob(f"{role}*.log"))


def writer(served: Served) -> int | None:
    """Return the process that writes, or None while there is none."""
    writers = {int(pid) for pid in re.findall(r"process (\d+) writes the prediction log", said(served, "log-writer"))}
    return next((pid for pid in children(served) if pid in writers and alive(pid)), None)


def kill_writer(served: Served) -> int:
    """Kill the process that writes, and return which it was."""
    pid = writer(served)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not alive(pid))
    return pid


def counts(served: Served) -> list[int]:
    return [served.metric(f"prediction_log_{name}_total") for name in ("accepted", "written", "spooled", "shed")]


def settled(served: Served) -> bool:
    accepted, *gone = counts(served)
    return accepted == sum(gone) and not list((served.var_dir / "spool").glob("*.jsonl"))


def stored(served: Served) -> list[str]:
    with sqlite3.connect(served.var_dir / "db.sqlite3", timeout=20) as database:
        return [key for (key,) in database.execute("SELECT id FROM predictions_prediction")]


def as_stored(ids: set[str]) -> set[str]:
    return {key.replace("-", "") for key in ids}


def test_the_writer_writes_and_accepts_no_connection(served: Served) -> None:
    with Load(served) as load:
        wait_for(lambda: len(load.ids()) > 200)
    wait_for(lambda: settled(served))
    sockets = listening(served.port)
    assert len(sockets) == 2
    assert [pid for pid in children(served) if not held(pid) & sockets] == [writer(served)]
    assert as_stored(load.ids()) <= set(stored(served))
    assert DIRECT not in said(served, "web")


def test_nothing_is_lost_or_counted_twice_when_the_writer_is_killed_under_load(served: Served) -> None:
    killed = set[int]()
    with Load(served) as load:
        for _ in range(4):
            wait_for(lambda: writer(served))
            time.sleep(0.5)
            # It has a batch in hand, and can't write it.
            with closing(sqlite3.connect(served.var_dir / "db.sqlite3", isolation_level=None, timeout=20)) as other:
                other.execute("BEGIN IMMEDIATE")
                time.sleep(0.3)
                killed.add(kill_writer(served))
                other.execute("ROLLBACK")
        wait_for(lambda: writer(served))
    wait_for(lambda: settled(served))
    accepted, written, spooled, shed = counts(served)
    rows = stored(served)
    assert len(killed) == 4
    assert (accepted, shed) == (written + spooled, 0)
    assert len(rows) == len(set(rows)) == accepted > 500
    assert as_stored(load.ids()) <= set(rows)
    assert DIRECT in said(served, "web")


@pytest.mark.postgres
def test_nothing_is_lost_or_counted_twice_on_postgresql_either(tmp_path_factory: pytest.TempPathFactory) -> None:
    if not (server := os.environ.get("TEST_POSTGRES_URL")):
        pytest.skip("TEST_POSTGRES_URL names no PostgreSQL server")
    name = f"writer_{os.getpid()}"
    url = f"{server.rpartition('/')[0]}/{name}"
    with psycopg.connect(server, autocommit=True) as main:
        main.execute(f'CREATE DATABASE "{name}"')
        site = Served(tmp_path_factory, workers=2, PROCESS_ROLE="web", DATABASE_URL=url)
        try:
            site.start()
            with Load(site) as load, psycopg.connect(url, autocommit=True) as database:
                for _ in range(3):
                    wait_for(lambda: writer(site))
                    time.sleep(0.5)
                    # It has a batch in hand, and can't write it.
                    with database.transaction():
                        database.execute("LOCK TABLE predictions_prediction IN EXCLUSIVE MODE")
                        time.sleep(0.5)
                        kill_writer(site)
            wait_for(lambda: settled(site))
            accepted, written, spooled, shed = counts(site)
            with psycopg.connect(url) as database:
                rows = [str(key) for (key,) in database.execute("SELECT id FROM predictions_prediction")]
        finally:
            site.stop(signal.SIGKILL)
            main.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    assert (accepted, shed) == (written + spooled, 0)
    assert len(rows) == len(set(rows)) == accepted > 500
    assert load.ids() <= set(rows)


def test_a_writer_that_stands_still_is_done_without(served: Served) -> None:
    pid = writer(served)
    assert pid is not None
    with Load(served) as load:
        os.kill(pid, signal.SIGSTOP)
        wait_for(lambda: DIRECT in said(served, "web"))
        wait_for(lambda: len(stored(served)) > 200)
        os.kill(pid, signal.SIGCONT)
        time.sleep(1)
    wait_for(lambda: settled(served))
    accepted, written, spooled, shed = counts(served)
    assert (accepted, shed) == (written + spooled, 0)
    assert as_stored(load.ids()) <= set(stored(served))
    assert len(stored(served)) == accepted


def test_what_is_counted_as_written_stands_in_the_log_when_workers_are_killed(served: Served) -> None:
    with Load(served):
        for _ in range(4):
            time.sleep(0.8)
            workers = [pid for pid in children(served) if pid != writer(served) and alive(pid)]
            os.kill(workers[0], signal.SIGKILL)
            wait_for(lambda: len(children(served)) == 3)
        time.sleep(1)
    wait_for(lambda: not list((served.var_dir / "spool").glob("*.jsonl")))
    wait_for(lambda: counted(served) == len(stored(served)))
    accepted, written, spooled, shed = counts(served)
    # What a killed worker still had in memory is lost with it, as `durable` says.
    assert accepted >= written + spooled
    assert shed == 0


def counted(served: Served) -> int:
    return served.metric("prediction_log_written_total") + served.metric("prediction_log_restored_total")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_all_that_was_answered_is_stored_when_the_whole_group_is_told_to_end(served: Served, number: int) -> None:
    with Load(served) as load:
        wait_for(lambda: len(load.ids()) > 300)
        everyone = children(served)
        served.stop(number)
    assert as_stored(load.ids()) <= set(stored(served))
    assert not any(alive(pid) for pid in everyone)
    assert DIRECT not in said(served, "web")


def test_the_writer_ends_with_its_server_however_that_ends(served: Served) -> None:
    pid = writer(served)
    assert pid is not None
    with Load(served) as load:
        wait_for(lambda: len(load.ids()) > 100)
        assert served.process is not None
        os.kill(served.process.pid, signal.SIGKILL)
        wait_for(lambda: not alive(pid))


def test_a_faulty_row_costs_no_other_through_the_writer_either(serving: None, configure: Configure) -> None:
    configure(prediction_log__flush_seconds=1000.0)
    version, before, link = register(), count("shed"), LogLink(1)
    link.writer = 1
    thread = threading.Thread(target=_serve, args=(link,))
    thread.start()
    write_through(link.of_worker(0))
    try:
        for version_id in (version.pk, 987_654, version.pk):
            log.offer(entry(version_id))
        flush_log()
    finally:
        link.tell_end()
        thread.join()
        write_through(None)
        link.close()
    assert count("shed") == before + 1
    assert Prediction.objects.count() == 2


def _serve(link: LogLink) -> None:
    Writing(link, os.getppid()).run()
    connections.close_all()
