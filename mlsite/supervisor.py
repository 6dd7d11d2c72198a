"""Keep a few child processes alive, and end all of them when told to."""

import contextlib
import ctypes
import logging
import os
import select
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
READY_SECONDS = 60.0
TICK_SECONDS = 0.2
HEALTHY_SECONDS = 30.0
MAX_BACKOFF_SECONDS = 30.0
FENCED = 75
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class ChildSpec:
    """What to run, under which role.

    One that has descriptors handed down, says in the one named by `ready_in` when it is ready, and leaves on a signal
    of its own can be replaced while it works: its successor is started first.
    """

    role: str
    argv: Sequence[str]
    environ: Mapping[str, str]
    hands_down: tuple[int, ...] = ()
    ready_in: str = ""
    leaves_on: signal.Signals = signal.SIGTERM


class Child:
    """One child process, restarted with a growing pause while it keeps dying."""

    def __init__(self, spec: ChildSpec) -> None:
        self.spec = spec
        self.process: subprocess.Popen[bytes] | None = None
        self._started = self._restart_at = 0.0
        self._deaths = 0
        self._said_ready: int | None = None

    @property
    def alive(self) -> bool:
        """Tell whether the process runs."""
        return self.process is not None and self.process.poll() is None

    @property
    def ready(self) -> bool:
        """Tell whether the process has said that it is ready."""
        if self._said_ready is not None and select.select([self._said_ready], [], [], 0)[0]:
            return os.read(self._said_ready, 1) != b""
        return False

    def start(self) -> None:
        """Start the process in a group of its own, so that a Ctrl-C reaches the supervisor alone."""
        environ, handed, says = dict(self.spec.environ), self.spec.hands_down, None
        if self.spec.ready_in:
            self._forget_pipe()
            self._said_ready, says = os.pipe()
            environ[self.spec.ready_in], handed = str(says), (*handed, says)
        self.process = subprocess.Popen(
            self.spec.argv,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=sys.__stderr__,
            process_group=0,
            pass_fds=handed,
            preexec_fn=die_with_parent if sys.platform == "linux" else None,
        )
        if says is not None:
            os.close(says)
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

    def ask(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Ask the process to finish."""
        if self.alive and self.process:
            self.process.send_signal(number)

    def _forget_pipe(self) -> None:
        if self._said_ready is not None:
            os.close(self._said_ready)
            self._said_ready = None

    def kill(self) -> None:
        """Kill whatever is left of the process's group."""
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._forget_pipe()


class Supervisor:
    """Runs children until a signal; afterwards none of them is left.

    `tick` is called a few times a second while they run. On SIGUSR1 each is replaced by a new process, one after the
    other: that loads new code and interrupts no service.
    """

    def __init__(self, specs: Sequence[ChildSpec], tick: Callable[[], None] = lambda: None) -> None:
        self.children = [Child(spec) for spec in specs]
        self._tick = tick
        self._stop = threading.Event()
        self._hurry = threading.Event()
        self._renew = threading.Event()

    def run(self) -> None:
        """Supervise until SIGINT, SIGTERM or SIGHUP; a second one hurries."""
        before = {number: signal.signal(number, self._on_signal) for number in STOP_SIGNALS}
        before[signal.SIGUSR1] = signal.signal(signal.SIGUSR1, lambda *_: self._renew.set())
        try:
            while not self._stop.wait(TICK_SECONDS):
                for child in self.children:
                    child.mend()
                self._tick()
                if self._renew.is_set():
                    self._renew.clear()
                    self._replace_all()
        finally:
            self._stop_all()
            for number, handler in before.items():
                signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._stop.is_set():
            self._hurry.set()
        self._stop.set()

    def _replace_all(self) -> None:
        for place, old in enumerate(self.children):
            if self._stop.is_set():
                return
            if old.spec.ready_in:
                self._hand_over(place, old)
            else:
                old.ask()
                self._wait(lambda old=old: not old.alive, STOP_SECONDS)  # type: ignore[misc]  # bound at once
                old.kill()
                old.start()
        logger.info("everything was replaced")

    def _hand_over(self, place: int, old: Child) -> None:
        """Let a child leave once its successor is ready; if that does not get ready, the child stays."""
        new = Child(old.spec)
        new.start()
        if not self._wait(lambda: new.ready, READY_SECONDS, give_up=lambda: not new.alive):
            logger.error("the new %s did not get ready; the old one goes on", old.spec.role)
            new.kill()
            return
        self.children[place] = new
        old.ask(old.spec.leaves_on)
        self._wait(lambda: not old.alive, STOP_SECONDS)
        old.kill()

    def _wait(self, happened: Callable[[], bool], seconds: float, give_up: Callable[[], bool] = lambda: False) -> bool:
        deadline = time.monotonic() + seconds
        while not happened():
            if time.monotonic() >= deadline or give_up() or self._stop.wait(0.05):
                return False
        return True

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


def die_with_parent() -> None:
    """Have the kernel tell this forked child to finish if its parent is killed; only Linux does."""
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
