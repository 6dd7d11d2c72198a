"""A main thread that waits at its pipe is woken by signals that came to another thread, and by forked children."""

import subprocess
import sys

import pytest

SIGNALLED = """
import os, signal, threading, time
from mlsite.self_pipe import SelfPipe

ends = []
signal.signal(signal.SIGTERM, lambda *_: ends.append(True))
pipe = SelfPipe()
other = threading.Thread(target=time.sleep, args=(20,), daemon=True)
other.start()
threading.Timer(0.5, signal.pthread_kill, (other.ident, signal.SIGTERM)).start()
threading.Timer(10, lambda: os._exit(1)).start()
while not ends:
    pipe.wait()
os._exit(0)
"""
FROM_CHILD = """
import os, threading
from mlsite.self_pipe import SelfPipe

pipe = SelfPipe()
if not os.fork():
    pipe.wake()
    os._exit(0)
threading.Timer(10, lambda: os._exit(1)).start()
pipe.wait()
os._exit(0)
"""
# What a child does with its signals is its own affair.
SIGNALLED_CHILD = """
import os, signal
from mlsite.self_pipe import SelfPipe, leave_pipe_of_parent

pipe = SelfPipe()
if not os.fork():
    leave_pipe_of_parent()
    signal.signal(signal.SIGTERM, lambda *_: None)
    os.kill(os.getpid(), signal.SIGTERM)
    os._exit(0)
os.wait()
os._exit(int(pipe.wait(0)))
"""
FULL = """
from mlsite.self_pipe import SelfPipe

pipe = SelfPipe()
for _ in range(100_000):
    pipe.wake()
assert pipe.wait()
while pipe.wait(0):
    pass
"""


@pytest.mark.parametrize("script", [SIGNALLED, FROM_CHILD, SIGNALLED_CHILD, FULL])
def test_the_main_thread_is_woken_by_what_concerns_it(script: str) -> None:
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", script], check=False, timeout=60)
    assert done.returncode == 0
