"""While requests queue, the web server's network thread waits for its turn instead of interrupting those that answer.

On few processors each packet wakes the network thread, which takes the processor from the thread that answers: two to
three times a request, with cold caches after each. As a batch thread (SCHED_BATCH) it runs when the answering thread
waits or its time is up, and does all there is to do at once. Where nothing queues it is a thread like others again.
"""

import contextlib
import os
import time
from collections.abc import Collection, Iterable
from pathlib import Path

TASKS = Path("/proc/self/task")
NETWORK = "tokio-rt"
# A thread that works or waits for a processor for this share of the time has no pause: requests queue. Down to the
# other share they are taken to go on so.
BUSY, IDLE = 0.85, 0.7
NANOSECONDS = 1e9


class Pace:
    """How busy the answering threads were when last looked at, and whether the network waits for its turn."""

    def __init__(self) -> None:
        self._spent: dict[int, int] = {}
        self._at = time.perf_counter()
        self.waits = False

    def look(self, listening: Iterable[int], answering: Collection[int]) -> None:
        """Look at those of the answering threads whose turn it is, by their native ids."""
        now, spent = time.perf_counter(), {thread: _spent_ns(thread) for thread in listening}
        known = self._spent.keys() & spent.keys()
        shares = [(spent[thread] - self._spent[thread]) / (now - self._at) / NANOSECONDS for thread in known]
        self._spent, self._at = spent, now
        busy = max(shares, default=0.0)
        if busy >= BUSY and not self.waits:
            self._let_wait(answering, waits=True)
        elif busy < IDLE and self.waits:
            self._let_wait(answering, waits=False)

    def _let_wait(self, answering: Collection[int], *, waits: bool) -> None:
        self.waits = waits
        for thread in threads_named(NETWORK):
            # The server names its threads alike, and one that is begun by a batch thread is one too.
            policy = os.SCHED_BATCH if waits and thread not in answering else os.SCHED_OTHER
            # It may have ended, or an administrator may have given it a policy that is not ours to change.
            with contextlib.suppress(OSError):
                os.sched_setscheduler(thread, policy, os.sched_param(0))


def _spent_ns(thread: int) -> int:
    """Return how long a thread has run or waited for a processor; 0 where the system does not tell."""
    try:
        ran, waited, _ = (TASKS / str(thread) / "schedstat").read_text().split()
    except OSError:
        return 0
    return int(ran) + int(waited)


def threads_named(beginning: str) -> list[int]:
    """Return the ids of this process's threads whose names begin so."""
    found = []
    for task in TASKS.iterdir():
        with contextlib.suppress(OSError):
            if (task / "comm").read_text().startswith(beginning):
                found.append(int(task.name))
    return found
