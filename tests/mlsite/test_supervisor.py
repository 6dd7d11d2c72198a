"""Children that die, and children that end with their supervisor: real processes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

SCRIPT = """
import logging, os, sys
from mlsite.supervisor import ChildSpec, Supervisor
logging.basicConfig(level="INFO")
specs = [ChildSpec(role=f"child{i}", argv=[sys.executable, "-c", code], environ=os.environ)
         for i, code in enumerate(sys.argv[1:])]
Supervisor(specs).run()
print("stopped")
"""
NOTE = "import os; open(os.environ['NOTES'], 'a').write(f'{os.getpid()}\\n'); "
SLEEPER = NOTE + "import time; time.sleep(600)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + SLEEPER
PARENT = (
    "import subprocess, sys; subprocess.Popen([sys.executable, '-c', "
    f"{STUBBORN!r}]); " + NOTE + "import time; time.sleep(600)"
)


class Notes:
    """Process ids the children wrote down."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def pids(self) -> list[int]:
        return [int(line) for line in self.path.read_text().split()] if self.path.exists() else []

    def wait(self, count: int) -> list[int]:
        wait_for(lambda: len(self.pids()) >= count)
        return self.pids()


Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def notes(tmp_path: Path) -> Notes:
    return Notes(tmp_path / "notes")


@pytest.fixture
def start(notes: Notes) -> Iterator[Start]:
    started: list[subprocess.Popen[str]] = []

    def begin(*codes: str, script: str = SCRIPT) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-c", script, *codes],
            env={**os.environ, "NOTES": str(notes.path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()
    for pid in filter(alive, notes.pids()):
        os.kill(pid, signal.SIGKILL)


def wait_for(happened: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_children_end_with_the_supervisor(start: Start, notes: Notes, number: int) -> None:
    process = start(SLEEPER, SLEEPER)
    pids = notes.wait(2)
    process.send_signal(number)
    said, _ = process.communicate(timeout=30)
    assert (process.returncode, said) == (0, "stopped\n")
    assert not any(alive(pid) for pid in pids)


def test_killed_child_is_started_again(start: Start, notes: Notes) -> None:
    process = start(SLEEPER)
    (first,) = notes.wait(1)
    os.kill(first, signal.SIGKILL)
    _, second = notes.wait(2)
    assert alive(second)
    process.terminate()
    _, logged = process.communicate(timeout=30)
    assert "child0 ended with -9, starting it again in 0.5 s" in logged


def test_child_that_keeps_dying_is_started_ever_more_slowly(start: Start, notes: Notes) -> None:
    process = start(NOTE + "raise SystemExit(3)")
    notes.wait(3)
    process.terminate()
    _, logged = process.communicate(timeout=30)
    assert "ended with 3, starting it again in 0.5 s" in logged
    assert "ended with 3, starting it again in 1.0 s" in logged


def test_fenced_child_is_not_started_at_once(start: Start, notes: Notes) -> None:
    process = start(NOTE + "raise SystemExit(75)", SLEEPER)
    notes.wait(2)
    time.sleep(1)
    process.terminate()
    _, logged = process.communicate(timeout=30)
    assert "ended with 75, starting it again in 30.0 s" in logged


def test_second_signal_kills_what_will_not_finish(start: Start, notes: Notes) -> None:
    process = start(STUBBORN)
    (pid,) = notes.wait(1)
    process.terminate()
    time.sleep(0.5)
    assert alive(pid)
    process.terminate()
    process.communicate(timeout=30)
    assert not alive(pid)


def test_grandchildren_end_too(start: Start, notes: Notes) -> None:
    process = start(PARENT)
    pids = notes.wait(2)
    process.terminate()
    process.communicate(timeout=30)
    assert not any(alive(pid) for pid in pids)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
def test_children_end_when_the_supervisor_is_killed(start: Start, notes: Notes) -> None:
    process = start(SLEEPER)
    (pid,) = notes.wait(1)
    process.kill()
    process.wait()
    wait_for(lambda: not alive(pid))


REPLACED = """
import os, signal, sys
from mlsite.supervisor import ChildSpec, Supervisor
specs = [ChildSpec(role="told", argv=[sys.executable, "-c", sys.argv[1]], environ=os.environ, ready_in="READY_FD"),
         ChildSpec(role="other", argv=[sys.executable, "-c", sys.argv[2]], environ=os.environ)]
Supervisor(specs).run()
"""
READY = NOTE + "os.write(int(os.environ['READY_FD']), b'1'); import time; time.sleep(600)"
READY_ONCE = (
    NOTE + "flag = os.environ['NOTES'] + '.first'; again = os.path.exists(flag); open(flag, 'w').close(); "
    "again and os._exit(3); os.write(int(os.environ['READY_FD']), b'1'); import time; time.sleep(600)"
)


def test_children_are_replaced_one_after_the_other(start: Start, notes: Notes) -> None:
    process = start(READY, SLEEPER, script=REPLACED)
    before = notes.wait(2)
    process.send_signal(signal.SIGUSR1)
    after = notes.wait(4)[2:]
    wait_for(lambda: not any(alive(pid) for pid in before))
    assert all(alive(pid) for pid in after)
    process.terminate()
    process.communicate(timeout=30)
    assert not any(alive(pid) for pid in after)


def test_a_child_stays_if_its_successor_does_not_get_ready(start: Start, notes: Notes) -> None:
    process = start(READY_ONCE, SLEEPER, script=REPLACED)
    first, other = notes.wait(2)
    process.send_signal(signal.SIGUSR1)
    notes.wait(4)
    wait_for(lambda: sum(map(alive, (first, other))) == 1)
    process.terminate()
    _, logged = process.communicate(timeout=30)
    assert "the new told did not get ready; the old one goes on" in logged
