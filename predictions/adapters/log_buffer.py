"""Answers on their way to the prediction log: bounded, written by a thread, spooled to disk or counted if shed."""

import atexit
import logging
import multiprocessing.util
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from types import FrameType
from typing import TypeVar

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import InterfaceError, OperationalError, close_old_connections, connection

from features.ground.quick_settings import setting
from predictions import metrics
from predictions.adapters.spool import Spool, bytes_on_disk
from predictions.core.log_entry import LogEntry, RowEntry
from predictions.core.log_row import LogRow
from predictions.errors import LogUnavailableError

logger = logging.getLogger(__name__)
BATCH = 500
# How long the end of a process waits for a database that does not answer; what is left is spooled.
LAST_FLUSH_S = 5.0
# After a failed write, answers go to disk for this long before the database is asked again.
REST_S = 1.0
# While the buffer is more than half full each answer leaves the processor to the writer for this long.
YIELD_S = 0.0002
Item = TypeVar("Item")
Entry = LogEntry | RowEntry
Write = Callable[[list[Entry]], int]
WriteRows = Callable[[Sequence[LogRow]], int]
Show = Callable[[list[Entry]], None]


class LogBuffer:
    """Takes entries at once and hands them to `write` in batches.

    Parameters
    ----------
    write : callable
        Stores a batch in one transaction and returns how many rows it holds now.
    write_rows : callable
        The same for rows that were read back from disk.
    show : callable, optional
        Takes the last batch of each flush once it is written.
    """

    def __init__(self, write: Write, write_rows: WriteRows, show: Show = lambda _: None) -> None:
        self._write = write
        self._write_rows = write_rows
        self._show = show
        self._spool = Spool()
        self._entries: deque[Entry] = deque()
        self._rows = 0
        self._resting_until = 0.0
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
        self._spool.forget()
        self._forget_process()

    def offer(self, entry: Entry) -> bool:
        """Take an entry if it is in the sample, or shed it if there is no room in memory and on disk.

        Never waits for the database.

        Raises
        ------
        LogUnavailableError
            If every answer must outlive a crash, and this one can't.
        """
        config = setting("CONFIG").prediction_log
        if not config.enabled:
            return False
        if config.sample < 1 and entry.id.int % 10_000 >= config.sample * 10_000:
            metrics.prediction_log_unsampled_total.inc()
            return False
        if self._thread is None:
            self.start()
        if config.durable:
            if not self._spool.append([entry.row()], sync=True):
                raise LogUnavailableError("the prediction log has no room, and no answer may be given unrecorded")
            metrics.prediction_log_accepted_total.inc()
            metrics.prediction_log_spooled_total.inc()
            return True
        metrics.prediction_log_accepted_total.inc()
        if self._rows + entry.rows > config.buffer_rows:
            return self._keep([entry], sync=False)
        with self._lock:
            self._entries.append(entry)
            self._rows += entry.rows
        if self._rows > config.buffer_rows // 2:
            self._wake.set()
            time.sleep(YIELD_S)
        return True

    @property
    def is_crowded(self) -> bool:
        """Tell whether an answer may have to wait for the writer, or for the disk."""
        return bool(self._rows > setting("CONFIG").prediction_log.buffer_rows // 2)

    def _keep(self, batch: list[Entry], *, sync: bool) -> bool:
        """Put entries on disk, or count them as shed."""
        metrics.prediction_log_accepted_total.count()
        kept = self._spool.append((entry.row() for entry in batch), sync=sync)
        (metrics.prediction_log_spooled_total if kept else metrics.prediction_log_shed_total).inc(len(batch))
        return kept

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
            # What comes meanwhile is for the next time: many small batches cost more than one.
            waiting, last = len(self._entries), list[Entry]()
            while waiting > 0 and (batch := self._batch()):
                self._store(batch)
                waiting, last = waiting - len(batch), batch
            if last:
                self._show(last)
            if settings.CONFIG.prediction_log.durable:
                self._spool.restore(self._store_rows)

    def _store(self, batch: list[Entry]) -> None:
        """Write a batch; if it is refused, look by halves for the entry at fault, so that the others are kept."""
        waiting = [batch]
        while waiting:
            part = waiting.pop()
            try:
                # Never more written than accepted, also if this process is killed meanwhile and its successor counts.
                metrics.prediction_log_accepted_total.count()
                metrics.prediction_log_written_total.inc(self._write(part))
            except (OperationalError, InterfaceError):
                self._give_back([entry for later in (part, *reversed(waiting)) for entry in later])
                raise
            except Exception:  # whatever is wrong with an entry, it is counted
                if len(part) > 1:
                    waiting += reversed(_halves(part))
                    continue
                logger.exception("prediction %s can't be logged", part[0].id)
                metrics.prediction_log_shed_total.inc()

    def _batch(self) -> list[Entry]:
        with self._lock:
            batch = [self._entries.popleft() for _ in range(min(BATCH, len(self._entries)))]
            self._rows -= sum(entry.rows for entry in batch)
        return batch

    def _give_back(self, batch: list[Entry]) -> None:
        with self._lock:
            self._entries.extendleft(reversed(batch))
            self._rows += sum(entry.rows for entry in batch)

    def _spool_waiting(self) -> None:
        with self._flushing:
            while batch := self._batch():
                self._keep(batch, sync=True)

    def _store_rows(self, batch: Sequence[LogRow]) -> None:
        try:
            metrics.prediction_log_restored_total.inc(self._write_rows(batch))
        except (OperationalError, InterfaceError):
            raise
        except Exception:  # one faulty row must cost no other, and its segment must not come back for ever
            if len(batch) > 1:
                for half in _halves(batch):
                    self._store_rows(half)
                return
            logger.exception("prediction %s can't be logged", batch[0].id)
            metrics.prediction_log_refused_total.inc()

    def start(self) -> None:
        """Write from a thread of this process, what an earlier one left on disk first."""
        with self._lock:
            if self._thread is not None:
                return
            self._thread = threading.Thread(target=self._run, name="prediction-log", daemon=True)
            self._thread.start()
        _at_exit(self)

    def _run(self) -> None:
        wake = self._wake
        while True:
            # Sooner where the buffer fills.
            wake.wait(settings.CONFIG.prediction_log.flush_seconds)
            wake.clear()
            if self._thread is not threading.current_thread():
                break
            self._round()
        connection.close()

    def _round(self) -> None:
        """Bring what waits to the database; to disk while that is away, so that the end of the process loses little."""
        if time.monotonic() >= self._resting_until and self._flush_quietly():
            return
        if self._entries:
            self._spool_waiting()

    def _flush_quietly(self) -> bool:
        close_old_connections()
        try:
            self.flush()
            with self._flushing:
                # What is on disk, by this process or one that is gone, comes in turn with what is new.
                self._spool.restore(self._store_rows, most=1)
        except DatabaseError as error:
            self._resting_until = time.monotonic() + REST_S
            logger.warning("the prediction log goes to disk until the database is back: %s", error)
            return False
        except Exception:  # the loop must outlive one bad batch
            logger.exception("writing the prediction log failed")
            return False
        finally:
            metrics.prediction_log_spool_bytes.set(bytes_on_disk())
        return True

    def close(self) -> None:
        """End the thread and write what is left, for at most a few seconds; the rest is spooled."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._wake.set()
            if thread is not threading.current_thread():
                thread.join(timeout=LAST_FLUSH_S)
            self._wake = threading.Event()
        deadline = time.monotonic() + LAST_FLUSH_S
        while self._entries and not self._flush_quietly() and time.monotonic() < deadline:
            time.sleep(0.1)
        self._spool_waiting()
        self._spool.seal()


def _halves(batch: Sequence[Item]) -> list[list[Item]]:
    middle = len(batch) // 2
    return [list(batch[:middle]), list(batch[middle:])]


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
