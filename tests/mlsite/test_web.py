"""The web server's processes: killed ones come back, replaced ones are not missed."""

import http.client
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.conf import settings

from tests.mlsite.test_serve import environ, free_port
from tests.mlsite.test_supervisor import alive, wait_for

OPTIONS = (
    "--interface wsgi --host 127.0.0.1 --blocking-threads 1 --no-ws --workers-kill-timeout 10 --log-level critical"
)
APPLICATION = "tests.mlsite.pid_app:application"
SUPERVISED = """
import os, signal, sys
from mlsite import handover
from mlsite.supervisor import ChildSpec, Supervisor
sockets = handover.bound("127.0.0.1", int(sys.argv[1]), 2)
handed = tuple(each.fileno() for each in sockets)
environ = {**os.environ, handover.LISTENERS: ",".join(map(str, handed))}
Supervisor([ChildSpec(role="web", argv=sys.argv[2:], environ=environ, hands_down=handed,
                      ready_in=handover.READY, leaves_on=signal.SIGUSR2)]).run()
"""
CALLERS = 6


class Web:
    """A web server whose answers are the ids of its processes."""

    def __init__(self, var_dir: Path, *, workers: int, supervised: bool = False) -> None:
        self.port = free_port()
        options = ["--port", str(self.port), "--workers", str(workers)]
        argv = [sys.executable, "-m", "mlsite.web", *OPTIONS.split(), *options, APPLICATION]
        if supervised:
            argv = [sys.executable, "-c", SUPERVISED, str(self.port), *argv]
        self.process = subprocess.Popen(argv, env=environ(var_dir), cwd=settings.BASE_DIR)
        wait_for(lambda: self.process.poll() is not None or self._listens(), 60)

    def _listens(self) -> bool:
        try:
            return self.ask() > 0
        except OSError:
            return False

    def ask(self) -> int:
        """Return who answers on a new connection."""
        client = self.connection()
        try:
            return ask(client)[0]
        finally:
            client.close()

    def connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)


def ask(client: http.client.HTTPConnection) -> tuple[int, str | None]:
    """Return who answers, and what is said of the connection; a closed one is noticed as clients do."""
    if client.sock is not None and select.select([client.sock], [], [], 0)[0]:
        client.close()
    client.request("GET", "/")
    answer = client.getresponse()
    return int(answer.read()), answer.headers["Connection"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Web]]:
    started: list[Web] = []

    def begin(**options: object) -> Web:
        started.append(Web(tmp_path, **options))  # type: ignore[arg-type]  # as the test says
        return started[-1]

    yield begin
    for web in started:
        web.process.terminate()
        assert web.process.wait(40) is not None


def test_a_process_that_is_killed_again_and_again_comes_back_and_refuses_nobody(start: Callable[..., Web]) -> None:
    web = start(workers=1)
    seen = [web.ask()]
    for _ in range(3):
        os.kill(seen[-1], signal.SIGKILL)
        wait_for(lambda: not alive(seen[-1]))
        # It waits at the socket until the next process takes it.
        seen.append(web.ask())
    assert len(set(seen)) == 4
    assert web.process.poll() is None


@contextmanager
def asked(web: Web) -> Iterator[tuple[list[int], list[str], list[int]]]:
    """Ask from several kept connections while the block lasts; yield who answered, what failed, who ended one."""
    seen, failed, ended_by = list[int](), list[str](), list[int]()
    ended = threading.Event()

    def call() -> None:
        client = web.connection()
        while not ended.is_set():
            try:
                pid, connection = ask(client)
                seen.append(pid)
                if connection == "close":
                    ended_by.append(pid)
            except (OSError, http.client.HTTPException) as error:
                failed.append(repr(error))
                client.close()
            ended.wait(0.005)
        client.close()

    threads = [threading.Thread(target=call) for _ in range(CALLERS)]
    for thread in threads:
        thread.start()
    yield seen, failed, ended_by
    ended.set()
    for thread in threads:
        thread.join()


def test_a_replaced_server_fails_no_request(start: Callable[..., Web]) -> None:
    web = start(workers=2, supervised=True)
    with asked(web) as (seen, failed, ended_by):
        wait_for(lambda: len(set(seen)) == 2)
        before = set(seen)
        web.process.send_signal(signal.SIGUSR1)
        wait_for(lambda: not any(alive(pid) for pid in before), 90)
        asked_so_far = len(seen)
        wait_for(lambda: len(seen) > asked_so_far + 50)
    assert failed == []
    assert not before & set(seen[asked_so_far + CALLERS :])
    # Whoever kept a connection was told to leave it, save one that may not have asked in time.
    assert set(ended_by) <= before
    assert CALLERS - 1 <= len(ended_by) <= 2 * CALLERS
