"""Keep a few child processes alive, and end all of them when told to."""

import contextlib
import ctypes
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import FrameType

logger = logging.getLogger(__name__)
STOP_SECONDS = 18.0
TICK_SECONDS = 0.2
HEALTHY_SECONDS = 30.0
MAX_BACKOFF_SECONDS = 30.0
FENCED = 75
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class ChildSpec:
    """What to run, under which role."""

    role: str
    argv: Sequence[str]
    environ: Mapping[str, str]


class Child:
    """One child process, restarted with a growing pause while it keeps dying."""

    def __init__(self, spec: ChildSpec) -> None:
        self.spec = spec
        self.process: subprocess.Popen[bytes] | None = None
        self._started = self._restart_at = 0.0
        self._deaths = 0

    @property
    def alive(self) -> bool:
        """Tell whether the process runs."""
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        """Start the process in a group of its own, so that a Ctrl-C reaches the supervisor alone."""
        self.process = subprocess.Popen(
            self.spec.argv,
            env=dict(self.spec.environ),
            stdin=subprocess.DEVNULL,
            stdout=sys.__stderr__,
            process_group=0,
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,
        )
        self._started = time.monotonic()
        logger.info("%s started, pid %s", self.spec.role, self.process.pid)

    def mend(self) -> None:
        """Start the process again if it died and its pause is over."""
        now = time.monotonic()
        if self.process is None:
            if now >= self._restart_at:
                self.start()
        elif not self.alive:
            self._bury(now)

    def _bury(self, now: float) -> None:
        code = self.process.returncode if self.process else 0
        self.kill()
        self._deaths = 1 if now - self._started > HEALTHY_SECONDS else self._deaths + 1
        pause = min(MAX_BACKOFF_SECONDS, 0.5 * 2 ** (self._deaths - 1))
        if code == FENCED:
            pause = MAX_BACKOFF_SECONDS
        logger.warning("%s ended with %s, starting it again in %.1f s", self.spec.role, code, pause)
        self.process, self._restart_at = None, now + pause

    def ask(self) -> None:
        """Ask the process to finish."""
        if self.alive and self.process:
            self.process.terminate()

    def kill(self) -> None:
        """Kill whatever is left of the process's group."""
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


class Supervisor:
    """Runs children until a signal; afterwards none of them is left.

    `tick` is called a few times a second while they run.
    """

    def __init__(self, specs: Sequence[ChildSpec], tick: Callable[[], None] = lambda: None) -> None:
        self.children = [Child(spec) for spec in specs]
        self._tick = tick
        self._stop = threading.Event()
        self._hurry = threading.Event()

    def run(self) -> None:
        """Supervise until SIGINT, SIGTERM or SIGHUP; a second one hurries."""
        before = {number: signal.signal(number, self._on_signal) for number in STOP_SIGNALS}
        try:
            while not self._stop.wait(TICK_SECONDS):
                for child in self.children:
                    child.mend()
                self._tick()
        finally:
            self._stop_all()
            for number, handler in before.items():
                signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._stop.is_set():
            self._hurry.set()
        self._stop.set()

    def _stop_all(self) -> None:
        for child in self.children:
            child.ask()
        deadline = time.monotonic() + STOP_SECONDS
        while any(child.alive for child in self.children) and time.monotonic() < deadline:
            if self._hurry.wait(0.05):
                break
        for child in self.children:
            if child.alive:
                logger.warning("%s did not finish in time and is killed", child.spec.role)
            child.kill()


STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def _die_with_parent() -> None:
    # Runs in the child between fork and exec: if the supervisor is killed, the kernel tells the child to finish.
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
