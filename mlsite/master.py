"""The process that keeps the web processes and the log writer: it forks them, replaces dead ones, ends them."""

import logging
import multiprocessing
import os
import signal
import socket
import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from mlsite import handover, logs
from mlsite.log_writer import LogWriter
from mlsite.self_pipe import SelfPipe, leave_pipe_of_parent
from mlsite.supervisor import die_with_parent
from mlsite.worker import WorkerOptions, run
from predictions.actions.log_predictions import write_through
from predictions.adapters.log_link import LogLink

logger = logging.getLogger(__name__)
# Of callers who keep a connection, those who ask at least this often are told to connect again.
LEAVE_SECONDS = 1.0
# What a worker is given to end after it has given up what was in progress: its log is written then, or kept on disk.
MARGIN_SECONDS = 5.0
FIRST_PAUSE_SECONDS = 0.5
MAX_PAUSE_SECONDS = 30.0
END_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Ready:
    """Whether a worker answers: its `value` is 0, and the worker makes it 1, of which the master hears."""

    def __init__(self, pipe: SelfPipe) -> None:
        # Without a lock: a worker that is killed would leave it locked.
        self._value = multiprocessing.RawValue("b", 0)
        self._pipe = pipe

    @property
    def value(self) -> int:
        """Return 1 once it answers."""
        return int(self._value.value)

    @value.setter
    def value(self, value: int) -> None:
        self._value.value = value
        self._pipe.wake()


@dataclass(frozen=True, kw_only=True)
class _Child:
    """What a worker is given when it is forked."""

    options: WorkerOptions
    listener: socket.socket
    others: list[socket.socket]
    ready: Ready
    link: LogLink
    index: int
    master: int

    def run(self) -> None:
        """Serve, in the child."""
        # Until it answers it has nothing to finish, so it may end at once; SIGUSR2 is for the master alone.
        for number in (*END_SIGNALS, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGUSR2, signal.SIG_IGN)
        leave_pipe_of_parent()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, END_SIGNALS)
        die_with_parent()
        if os.getppid() != self.master:
            return
        for other in self.others:
            other.close()
        logs.configure()
        write_through(self.link.of_worker(self.index))
        run(self.options, self.listener, self.ready)


class Worker:
    """The web process at one listener, and its successors."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.process: multiprocessing.Process | None = None
        self.ready: Ready | None = None
        # When the next one may be started, while there is none.
        self.due = 0.0
        self._failures = 0

    @property
    def is_alive(self) -> bool:
        """Tell whether its process runs."""
        return self.process is not None and self.process.is_alive()

    @property
    def is_ready(self) -> bool:
        """Tell whether its process runs and answers."""
        return self.is_alive and self.ready is not None and self.ready.value == 1

    def start(self, process: multiprocessing.Process, ready: Ready) -> None:
        """Fork a process; it is the main thread that must."""
        self.process, self.ready = process, ready
        # A signal that came before the child has its own handlers would be taken for one to its master.
        with _held_back():
            process.start()

    def bury(self) -> None:
        """Forget a process that has ended, and say when the next may be started: at once if this one had answered."""
        if self.process is None or self.ready is None or self.process.is_alive():
            return
        code, self._failures = self.process.exitcode, 0 if self.ready.value else self._failures + 1
        pause = min(MAX_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** (self._failures - 1)) if self._failures else 0.0
        when = " before it could answer" if self._failures else ""
        logger.error("a web process ended with %s%s; the next is started in %.1f s", code, when, pause)
        self.due = time.monotonic() + pause
        self.process.close()
        self.process = None

    def tell(self, number: signal.Signals) -> None:
        """Send its process a signal."""
        process = self.process
        # Nobody else waits for it: as long as it counts as alive, its number is no other's.
        if process is not None and process.pid is not None and process.is_alive():
            os.kill(process.pid, number)


@contextmanager
def _held_back() -> Iterator[None]:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, END_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Master:
    """Keeps one worker at each listener, and one log writer for all of them, until it is told to end.

    Nobody but the main thread forks, and nobody but it waits for the workers: it sleeps until a signal has come, one
    of their ends included, a worker is ready, or the log writer is to be followed by another.

    Parameters
    ----------
    options : WorkerOptions
        What each worker is started with; it has `grace_s` to end.
    listeners : list of socket
        Where each of them accepts, bound.
    """

    def __init__(self, options: WorkerOptions, listeners: list[socket.socket]) -> None:
        self._options, self._listeners = options, listeners
        self._pipe = SelfPipe()
        self._log_writer = LogWriter(len(listeners), listeners, self._pipe.wake)
        self._workers = [Worker(index) for index in range(len(listeners))]
        self._ends = self._leaves = self._said_ready = False

    def run(self) -> None:
        """Serve until SIGTERM, SIGINT, or SIGUSR2, when another has taken its place."""
        for number in (*END_SIGNALS, signal.SIGUSR2):
            signal.signal(number, self._on_signal)
        signal.signal(signal.SIGCHLD, _look)
        for listener in self._listeners:
            listener.listen(self._options.backlog)
        try:
            while not self._ends:
                self._mend()
                self._pipe.wait(self._until_due())
        finally:
            self._stop()

    def _on_signal(self, number: int, _: object) -> None:
        self._leaves = self._leaves or number == signal.SIGUSR2
        self._ends = True

    def _mend(self) -> None:
        self._log_writer.mend()
        for worker in self._workers:
            worker.bury()
            if worker.process is None and time.monotonic() >= worker.due and not self._ends:
                self._start(worker)
        if not self._said_ready and all(worker.is_ready for worker in self._workers):
            self._said_ready = True
            handover.say_ready()

    def _start(self, worker: Worker) -> None:
        listener, ready = self._listeners[worker.index], Ready(self._pipe)
        child = _Child(
            options=self._options,
            listener=listener,
            others=[other for other in self._listeners if other is not listener],
            ready=ready,
            link=self._log_writer.link,
            index=worker.index,
            master=os.getpid(),
        )
        worker.start(multiprocessing.Process(name=f"web-{worker.index + 1}", target=child.run), ready)

    def _until_due(self) -> float | None:
        """Return how long nothing is to be started, or None if nothing is to be started at all."""
        waiting = [worker.due for worker in self._workers if worker.process is None]
        return max(0.0, min(waiting) - time.monotonic()) if waiting else None

    def _stop(self) -> None:
        # A connection must not wait where nobody will accept it.
        for listener in self._listeners:
            listener.close()
        if self._leaves:
            for worker in self._workers:
                if worker.is_ready:
                    worker.tell(signal.SIGUSR1)
            self._await_ends(LEAVE_SECONDS)
        for worker in self._workers:
            worker.tell(signal.SIGTERM)
        self._await_ends(self._options.grace_s + MARGIN_SECONDS)
        for worker in self._workers:
            if worker.is_alive:
                logger.warning("a web process did not end in time and is killed")
                worker.tell(signal.SIGKILL)
        self._await_ends(None)
        self._log_writer.end()

    def _await_ends(self, seconds: float | None) -> None:
        """Wait until no worker is left, at most so long."""
        deadline = None if seconds is None else time.monotonic() + seconds
        while any(worker.is_alive for worker in self._workers):
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                return
            self._pipe.wait(left)


def _look(*_: object) -> None:
    """Have the end of a child wake the main thread, as a signal with a handler does."""


def serve(asked: Namespace) -> None:
    """Serve as the command line says, until told to end."""
    options = WorkerOptions(
        target=asked.target,
        backlog=asked.backlog,
        grace_s=asked.workers_kill_timeout,
        certificate=asked.ssl_certificate,
        key=asked.ssl_keyfile,
    )
    Master(options, handover.listeners(asked.host, asked.port, asked.workers)).run()
