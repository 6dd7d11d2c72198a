"""A main thread that waits for a lock runs its handlers for signals that came to another thread."""

import subprocess
import sys

import pytest

SCRIPT = """
import os, signal, sys, threading, time
from mlsite.nudge import nudge_main_thread

seen = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: seen.set())
if sys.argv[1] == "nudged":
    nudge_main_thread()
if len(sys.argv) > 2 and os.fork():
    # Only the child is sent a signal; its parent's pipe must not be told of it.
    sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))
if len(sys.argv) > 2:
    nudge_main_thread()
other = threading.Thread(target=time.sleep, args=(20,), daemon=True)
other.start()
threading.Timer(0.5, signal.pthread_kill, (other.ident, signal.SIGTERM)).start()
threading.Timer(8, lambda: os._exit(1)).start()
seen.wait()
os._exit(0)
"""


@pytest.mark.parametrize(("how", "ends"), [(["left alone"], 1), (["nudged"], 0), (["nudged", "forked"], 0)])
def test_a_signal_that_another_thread_was_given_is_handled(how: list[str], ends: int) -> None:
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", SCRIPT, *how], check=False, timeout=60)
    assert done.returncode == ends
