"""While those that answer have no pause, the network's thread waits for its turn; afterwards it does not."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from predictions.adapters.pace import NETWORK, TASKS, Pace, threads_named
from tests.mlsite.test_supervisor import wait_for

pytestmark = pytest.mark.skipif(not hasattr(os, "SCHED_BATCH"), reason="this system has no batch threads")


@contextmanager
def thread(target: object, name: str) -> Iterator[int]:
    """Run a thread under a name the system knows; yield its native id, and end it by the event it is given."""
    ends, said = threading.Event(), list[int]()

    def run() -> None:
        (TASKS / str(threading.get_native_id()) / "comm").write_text(name)
        said.append(threading.get_native_id())
        target(ends)  # type: ignore[operator]  # one of the two below

    runs = threading.Thread(target=run)
    runs.start()
    wait_for(lambda: said)
    yield said[0]
    ends.set()
    runs.join()


def spin(ends: threading.Event) -> None:
    while not ends.is_set():
        pass


def wait(ends: threading.Event) -> None:
    ends.wait()


def looked(pace: Pace, thread: int, *, until: bool) -> None:
    """Look until the network waits, or does not."""

    def seen() -> bool:
        pace.look([thread], {thread})
        time.sleep(0.05)
        return pace.waits == until

    wait_for(seen)


def test_the_network_waits_while_a_thread_answers_without_a_pause() -> None:
    pace = Pace()
    with thread(wait, f"{NETWORK}-test") as network, thread(wait, "other") as idle:
        with thread(spin, f"{NETWORK}-answers") as busy:
            # Libraries have threads of that name too.
            assert {network, busy} <= set(threads_named(NETWORK))
            looked(pace, busy, until=True)
            assert os.sched_getscheduler(network) == os.SCHED_BATCH
            assert os.sched_getscheduler(busy) == os.sched_getscheduler(idle) == os.SCHED_OTHER
        looked(pace, idle, until=False)
        assert os.sched_getscheduler(network) == os.SCHED_OTHER


def test_threads_that_have_ended_are_no_reason_to_wait() -> None:
    pace = Pace()
    with thread(spin, "answers") as gone:
        pace.look([gone], {gone})
    # The system keeps a thread for a moment after Python has let go of it.
    wait_for(lambda: not (TASKS / str(gone)).exists())
    pace.look([gone], {gone})
    assert not pace.waits
