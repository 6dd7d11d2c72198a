"""Answers on their way to the prediction log: bounded, written by a thread, counted if shed."""

import atexit
import logging
import multiprocessing.util
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable
from types import FrameType

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import InterfaceError, OperationalError, close_old_connections, connection

from predictions import metrics
from predictions.core.answer import LogEntry

logger = logging.getLogger(__name__)
BATCH = 500
# How long the end of a process waits for a database that does not answer.
LAST_FLUSH_S = 5.0
# While the buffer is more than half full each answer leaves the processor to the writer for this long.
YIELD_S = 0.0002
Write = Callable[[list[LogEntry]], int]


class LogBuffer:
    """Takes entries at once and hands them to `write` in batches.

    Parameters
    ----------
    write : callable
        Stores a batch in one transaction and returns how many rows it holds now.
    """

    def __init__(self, write: Write) -> None:
        self._write = write
        self._entries: deque[LogEntry] = deque()
        self._rows = 0
        self._forget_process()
        os.register_at_fork(after_in_child=self._after_fork)

    def _forget_process(self) -> None:
        self._lock = threading.Lock()
        self._flushing = threading.Lock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    def _after_fork(self) -> None:
        # The parent writes what it accepted; a copy of it here would be written twice.
        self._entries.clear()
        self._rows = 0
        self._forget_process()

    def offer(self, entry: LogEntry) -> bool:
        """Take an entry, or shed it if there is no room; never wait for the database."""
        config = settings.CONFIG.prediction_log
        if not config.enabled:
            return False
        if self._rows + entry.rows > config.buffer_rows:
            metrics.prediction_log_accepted_total.inc()
            metrics.prediction_log_shed_total.inc()
            return False
        with self._lock:
            self._entries.append(entry)
            self._rows += entry.rows
        metrics.prediction_log_accepted_total.inc()
        if self._thread is None:
            self._start()
        if self._rows > config.buffer_rows // 2:
            time.sleep(YIELD_S)
        return True

    def __len__(self) -> int:
        return len(self._entries)

    def flush(self) -> None:
        """Write what is waiting, in this thread; entries stay if the database is away.

        Raises
        ------
        django.db.Error
            If the database is away.
        """
        with self._flushing:
            while batch := self._batch():
                self._store(batch)

    def _store(self, batch: list[LogEntry]) -> None:
        """Write a batch; if it is refused, look by halves for the entry at fault, so that the others are kept."""
        waiting = [batch]
        while waiting:
            part = waiting.pop()
            try:
                metrics.prediction_log_written_total.inc(self._write(part))
            except (OperationalError, InterfaceError):
                self._give_back([entry for later in (part, *reversed(waiting)) for entry in later])
                raise
            except Exception:  # whatever is wrong with an entry, it is counted
                if len(part) > 1:
                    middle = len(part) // 2
                    waiting += [part[middle:], part[:middle]]
                    continue
                logger.exception("prediction %s can't be logged", part[0].id)
                metrics.prediction_log_shed_total.inc()

    def _batch(self) -> list[LogEntry]:
        with self._lock:
            batch = [self._entries.popleft() for _ in range(min(BATCH, len(self._entries)))]
            self._rows -= sum(entry.rows for entry in batch)
        return batch

    def _give_back(self, batch: list[LogEntry]) -> None:
        with self._lock:
            self._entries.extendleft(reversed(batch))
            self._rows += sum(entry.rows for entry in batch)

    def _start(self) -> None:
        with self._lock:
            if self._thread is not None:
                return
            self._thread = threading.Thread(target=self._run, name="prediction-log", daemon=True)
            self._thread.start()
        _at_exit(self)

    def _run(self) -> None:
        while not self._wake.wait(settings.CONFIG.prediction_log.flush_seconds):
            if self._entries:
                self._flush_quietly()
        connection.close()

    def _flush_quietly(self) -> bool:
        close_old_connections()
        try:
            self.flush()
        except DatabaseError as error:
            logger.warning("the prediction log waits for the database: %s", error)
            return False
        except Exception:  # the loop must outlive one bad batch
            logger.exception("writing the prediction log failed")
            return False
        return True

    def close(self) -> None:
        """End the thread and write what is left, for at most a few seconds."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._wake.set()
            if thread is not threading.current_thread():
                thread.join(timeout=LAST_FLUSH_S)
            self._wake = threading.Event()
        deadline = time.monotonic() + LAST_FLUSH_S
        while self._entries and not self._flush_quietly() and time.monotonic() < deadline:
            time.sleep(0.1)
        if self._entries:
            metrics.prediction_log_shed_total.inc(len(self._entries))
            logger.error("%d predictions were not logged before the process ended", len(self._entries))


def _at_exit(buffer: LogBuffer) -> None:
    atexit.register(buffer.close)
    # A forked worker of multiprocessing ends without atexit, but runs these.
    multiprocessing.util.Finalize(None, buffer.close, exitpriority=10)
    in_main = threading.current_thread() is threading.main_thread()
    if in_main and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _leave)


def _leave(number: int, frame: FrameType | None) -> None:
    # Turns the default sudden end into one that runs the handlers above.
    raise SystemExit(128 + number)
