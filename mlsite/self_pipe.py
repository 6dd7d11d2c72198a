"""What wakes a main thread that waits: a signal, another of its threads, a forked child."""

import os
import select
import signal
from contextlib import suppress


class SelfPipe:
    """A pipe of a process to itself, of whose reading end the main thread waits.

    Python runs its handlers of signals in the main thread. Where the system gives a signal of the process to another
    thread, a main thread that waits for a lock goes on waiting, and the handler with it: a server that was told to end
    would not. Here each signal that has a handler leaves its number in the pipe at once, whichever thread it came to.
    """

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()
        for end in (self._reader, self._writer):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)

    def wake(self) -> None:
        """End the wait of the main thread, or its next one; from any thread, and from any process that was forked."""
        # Where it is full, there is enough in it to wake.
        with suppress(BlockingIOError):
            os.write(self._writer, b"\0")

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until something has come since the last time, at most so long; tell whether it has."""
        if not select.select([self._reader], [], [], seconds)[0]:
            return False
        os.read(self._reader, 65_536)
        return True


def leave_pipe_of_parent() -> None:
    """Have the signals of a forked child not wake its parent."""
    signal.set_wakeup_fd(-1)
