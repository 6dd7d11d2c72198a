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

from mlsite.web import arguments
from tests.mlsite.test_serve import environ, free_port
from tests.mlsite.test_supervisor import alive, wait_for

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


def command(port: int, *, workers: int, kill_timeout: float = 10, application: str = APPLICATION) -> list[str]:
    options = {"--port": port, "--workers": workers, "--workers-kill-timeout": kill_timeout}
    pairs = [str(part) for option in options.items() for part in option]
    return [sys.executable, "-m", "mlsite.web", *pairs, application]


class Web:
    """A web server whose answers are the ids of its processes."""

    def __init__(self, var_dir: Path, *, workers: int, supervised: bool = False, kill_timeout: float = 10) -> None:
        self.port = free_port()
        argv = command(self.port, workers=workers, kill_timeout=kill_timeout)
        if supervised:
            argv = [sys.executable, "-c", SUPERVISED, str(self.port), *argv]
        self.process = subprocess.Popen(argv, env=environ(var_dir), cwd=settings.BASE_DIR)

    def listens(self) -> bool:
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
        web = Web(tmp_path, **options)  # type: ignore[arg-type]  # as the test says
        started.append(web)
        wait_for(lambda: web.process.poll() is not None or web.listens(), 60)
        return web

    yield begin
    for web in started:
        web.process.terminate()
        assert web.process.wait(40) in {0, -signal.SIGKILL}


def listening(port: int) -> set[str]:
    """Return the sockets at which a port is listened to, as descriptors name them."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {f"socket:[{line[9]}]" for line in lines if line[1].endswith(f":{port:04X}") and line[3] == "0A"}


def held(pid: int) -> set[str]:
    return {str(path.readlink()) for path in Path(f"/proc/{pid}/fd").iterdir() if path.is_symlink()}


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


def test_a_process_holds_its_own_socket_alone(start: Callable[..., Web]) -> None:
    web = start(workers=2)
    pids = both(web)
    sockets = listening(web.port)
    assert len(sockets) == 2
    assert [len(held(pid) & sockets) for pid in pids] == [1, 1]


def both(web: Web) -> list[int]:
    """Return the two processes of a server."""
    seen = set[int]()
    wait_for(lambda: seen.add(web.ask()) or len(seen) == 2)  # type: ignore[func-returns-value]  # asks and counts
    return sorted(seen)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_server_that_is_told_to_end_does_so_with_its_processes(start: Callable[..., Web], number: int) -> None:
    web = start(workers=2)
    pids = both(web)
    web.process.send_signal(number)
    assert web.process.wait(40) == 0
    assert not any(alive(pid) for pid in pids)


def test_a_process_that_does_not_end_is_killed(start: Callable[..., Web]) -> None:
    web = start(workers=1, kill_timeout=0.1)
    pid = web.ask()
    os.kill(pid, signal.SIGSTOP)
    web.process.terminate()
    assert web.process.wait(40) == 0
    assert not alive(pid)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
def test_processes_end_when_their_server_is_killed(start: Callable[..., Web]) -> None:
    web = start(workers=2)
    pids = both(web)
    web.process.kill()
    web.process.wait()
    wait_for(lambda: not any(alive(pid) for pid in pids))


def test_processes_that_cannot_begin_are_started_ever_more_slowly(tmp_path: Path) -> None:
    argv = command(free_port(), workers=1, application="tests.mlsite.pid_app:absent")
    said = tmp_path / "said"
    with said.open("wb") as file:
        process = subprocess.Popen(argv, env=environ(tmp_path), cwd=settings.BASE_DIR, stderr=file)
    wait_for(lambda: said.read_text().count("before it could answer") >= 3, 90)
    # It is told while it pauses.
    process.terminate()
    assert process.wait(40) == 0
    pauses = [
        f"a web process ended with 1 before it could answer; the next is started in {s} s" for s in (0.5, 1.0, 2.0)
    ]
    assert [pause for pause in pauses if said.read_text().count(pause) != 1] == []


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ("--threads 2", "unrecognized arguments: --threads 2"),
        ("--work 2", "unrecognized arguments: --work 2"),
        ("--workers 0", "argument --workers: a whole number from 1 is wanted, not '0'"),
        ("--ssl-certificate c.pem", "--ssl-certificate and --ssl-keyfile go together"),
    ],
)
def test_options_that_are_wrong_are_refused(wrong: str, why: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        arguments([APPLICATION, *wrong.split()])
    assert capsys.readouterr().err.splitlines()[-1] == f"python -m mlsite.web: error: {why}"


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
