"""The process that writes the prediction logs of all web workers, and how the web server keeps it."""

import logging
import multiprocessing
import os
import selectors
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress

from django.conf import settings
from django.db import InterfaceError, OperationalError, close_old_connections, connections

from mlsite import logs
from predictions.actions.write_predictions import write_predictions
from predictions.adapters.log_link import AWAY, FAILED, REFUSED, WRITTEN, Batch, LogLink, received

logger = logging.getLogger(__name__)
ROLE = "log-writer"
# How often the writer looks whether the web server is still there.
LOOK_S = 0.5
HEALTHY_S = 10.0
END_S = 10.0
MAX_PAUSE_S = 30.0


class LogWriter:
    """Keeps one log writer for so many workers; a dead one is followed by another once `mend` is called.

    `wake` is called, from a thread, when `mend` has something to do.
    """

    def __init__(self, workers: int, listeners: Iterable[socket.socket], wake: Callable[[], None]) -> None:
        self.link = LogLink(workers)
        self._listeners = list(listeners)
        self._wake = wake
        self._process: multiprocessing.Process | None = None
        self._watcher: threading.Thread | None = None
        self._number = self._failures = 0
        self._ends = threading.Event()

    def mend(self) -> None:
        """Start a writer where none is; by the main thread, which forks the workers too."""
        wanted = settings.CONFIG.prediction_log.enabled and not self._ends.is_set()
        if self._process is not None or not wanted:
            return
        self._number += 1
        self.link.writer = self._number
        arguments = (self.link, self._listeners, os.getpid())
        self._process = multiprocessing.Process(name=ROLE, target=_run, args=arguments)
        self._process.start()
        self._watcher = threading.Thread(target=self._watch, args=(self._process,), name=ROLE, daemon=True)
        self._watcher.start()

    def _watch(self, process: multiprocessing.Process) -> None:
        """Wait for the end of a writer, and then for as long as the next one must."""
        started = time.monotonic()
        process.join()
        # Workers look here while they wait for an answer that will not come.
        self.link.writer = 0
        if self._ends.is_set():
            return
        self._failures = 0 if time.monotonic() - started > HEALTHY_S else self._failures + 1
        pause = min(MAX_PAUSE_S, 0.5 * 2 ** (self._failures - 1)) if self._failures > 1 else 0.0
        logger.error("the log writer ended with %s; the next is started in %.1f s", process.exitcode, pause)
        if not self._ends.wait(pause):
            self._process = None
            self._wake()

    def end(self) -> None:
        """Let the writer take what waits and end; it is told once its workers are gone."""
        self._ends.set()
        process, watcher = self._process, self._watcher
        if process is None or watcher is None:
            return
        with suppress(OSError):
            self.link.tell_end()
        # Only the watcher may wait for the process: of two who do, one is told that it is still there.
        watcher.join(END_S)
        if watcher.is_alive():
            logger.error("the log writer did not end in time and is killed")
            process.kill()
            watcher.join()


def _run(link: LogLink, listeners: Iterable[socket.socket], master: int) -> None:
    # It ends when the web server does, after the workers have sent their last: what ends them all is not for it.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)
    for listener in listeners:
        listener.close()
    logs.configure(ROLE if os.environ.get("PROCESS_ROLE") else None)
    logger.info("process %s writes the prediction log of the web processes", os.getpid())
    try:
        Writing(link, master).run()
    finally:
        connections.close_all()


class Writing:
    """Writes what workers send until it is told to end or its web server is gone, and first what waits then."""

    def __init__(self, link: LogLink, master: int) -> None:
        self._link = link
        self._master = master
        self._ends = False
        self._selector = selectors.DefaultSelector()
        for end in link.of_writer():
            self._selector.register(end, selectors.EVENT_READ)

    def run(self) -> None:
        """Write until the end."""
        some = True
        while some or not self._ends:
            some = False
            for batch in self._waiting(0.0 if self._ends else LOOK_S):
                some = True
                self._write(batch)
            if os.getppid() != self._master and not self._ends:
                # Workers that are left behind write for themselves.
                self._ends, self._link.writer = True, 0
        self._selector.close()

    def _waiting(self, seconds: float) -> Iterator[Batch]:
        """Yield a batch of each worker that has sent one."""
        for key, _ in self._selector.select(seconds):
            try:
                batch = received(key.fileobj)  # type: ignore[arg-type]  # a socket, as it was registered
            except BlockingIOError:
                continue
            if batch is None:
                self._ends = True
            else:
                yield batch

    def _write(self, batch: Batch) -> None:
        """Write a batch and say what became of it."""
        try:
            rows = batch.rows()
        except (OSError, ValueError) as error:
            batch.answer(FAILED, f"it can't read what it was sent: {error}")
            return
        close_old_connections()
        try:
            written = write_predictions(rows, patience_s=settings.CONFIG.prediction_log.write_timeout_s)
        except (OperationalError, InterfaceError) as error:
            batch.answer(AWAY, str(error))
            # One after the other they would wait for it too long.
            for other in self._waiting(0.0):
                other.drop()
                other.answer(AWAY, str(error))
        except Exception as error:  # noqa: BLE001 (the worker looks for the row that is at fault, and logs it)
            batch.answer(REFUSED, f"{type(error).__name__}: {error}")
        else:
            batch.answer(WRITTEN, str(written))
