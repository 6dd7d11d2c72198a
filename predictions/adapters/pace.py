"""While requests queue, the web server's network thread waits for its turn instead of interrupting those that answer.

On few processors each packet wakes the network thread, which takes the processor from the thread that answers: two to
three times a request, with cold caches after each. As a batch thread (SCHED_BATCH) it runs when the answering thread
waits or its time is up, and does all there is to do at once. Where nothing queues it is a thread like others again.
"""

import contextlib
import os
from pathlib import Path

TASKS = Path("/proc/self/task")
NETWORK = "tokio-rt"
# Of so many looks, this many have to find the answering threads at work, or no more than that.
LOOKS, BUSY, IDLE = 16, 12, 8


class Pace:
    """What was seen of the answering threads lately, and whether the network waits for its turn."""

    def __init__(self) -> None:
        self._seen = 0
        self.waits = False

    def note(self, *, busy: bool) -> None:
        """Take in whether an answering thread is at work just now."""
        self._seen = (self._seen << 1 | busy) & ((1 << LOOKS) - 1)
        found = self._seen.bit_count()
        if found >= BUSY and not self.waits:
            self._let_wait(True)
        elif found <= IDLE and self.waits:
            self._let_wait(False)

    def _let_wait(self, waits: bool) -> None:
        self.waits = waits
        if not hasattr(os, "SCHED_BATCH") or not TASKS.is_dir():
            return
        policy = os.SCHED_BATCH if waits else os.SCHED_OTHER
        for thread in network_threads():
            # It may have ended, or an administrator may have given it another policy.
            with contextlib.suppress(OSError):
                os.sched_setscheduler(thread, policy, os.sched_param(0))


def network_threads() -> list[int]:
    """Return the ids of this process's threads that only handle the network."""
    found = []
    for task in TASKS.iterdir():
        with contextlib.suppress(OSError):
            if (task / "comm").read_text().startswith(NETWORK):
                found.append(int(task.name))
    return found
