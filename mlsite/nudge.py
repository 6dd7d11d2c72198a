"""Signals reach the main thread, whichever thread the system has given them to.

Python runs its handlers in the main thread. Where the system gives a signal of the process to another thread, a main
thread that waits for a lock goes on waiting, and the handler with it: a server that was told to end would not.
"""

import os
import signal
import threading

# Ignored by whoever does not wait for it.
NUDGE = signal.SIGURG


def nudge_main_thread() -> None:
    """Have the main thread look for signals whenever one has come; to be called by it, and again in a forked child."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.signal(NUDGE, _nothing)
    # Each signal with a handler of Python's leaves its number there at once, in whichever thread it comes.
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    main = threading.get_ident()
    threading.Thread(target=_pass_on, args=(reader, main), name="signals", daemon=True).start()


def _pass_on(reader: int, main: int) -> None:
    while came := os.read(reader, 64):
        if any(number != NUDGE for number in came):
            signal.pthread_kill(main, NUDGE)


def _nothing(*_: object) -> None:
    """Interrupt a wait: the handlers of what has come are run then."""
