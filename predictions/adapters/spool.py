"""Answers on disk while the database can't take them; each segment is its process's until that lets go of it."""

import fcntl
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from uuid import uuid4

from django.conf import settings

from features.ground.files import fsync_folder
from features.ground.paths import var_path
from predictions.core.log_row import LogRow, rows_of

logger = logging.getLogger(__name__)
SEGMENT_BYTES = 4_194_304
BATCH = 500
# A line of many rows is long.
READ_BYTES = 1_048_576
ENDING = ".jsonl"
WriteRows = Callable[[Sequence[LogRow]], None]


def spool_folder() -> Path:
    """Return where the segments of this installation lie."""
    folder = var_path("spool", "any").parent
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def segments() -> list[Path]:
    """Return every segment, the oldest first."""
    return sorted(spool_folder().glob(f"*{ENDING}"))


def bytes_on_disk() -> int:
    """Return what all segments take, those of other processes included."""
    return sum(_size(path) for path in segments())


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


class Spool:
    """The segments of one process; a lock on its open one tells the others that it is in use."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._fd: int | None = None
        self._written = 0
        self._others = 0
        self._looked_at = 0.0

    def forget(self) -> None:
        """Let go of the parent's segment in a forked child; the parent's hold on it stays."""
        if self._fd is not None:
            os.close(self._fd)
        self._begin()

    def append(self, rows: Iterable[LogRow], *, sync: bool) -> bool:
        """Keep rows, all or none; whether there was room for them.

        Parameters
        ----------
        rows : iterable of LogRow
            They outlive the end of this process, however it ends.
        sync : bool
            Whether they must outlive the end of the machine's power too.
        """
        data = b"".join(row.line() for row in rows)
        try:
            with self._lock:
                if not self._has_room(len(data)):
                    return False
                handle = self._open()
                self._write(handle, data)
                flushed = os.dup(handle) if sync else None
                if self._written >= SEGMENT_BYTES:
                    self._close()
            if flushed is not None:
                try:
                    os.fsync(flushed)
                finally:
                    os.close(flushed)
        except OSError as error:
            logger.error("the spool can't be written: %s", error)
            return False
        return True

    def _has_room(self, more: int) -> bool:
        now = time.monotonic()
        if now - self._looked_at > 0.5:
            self._others, self._looked_at = bytes_on_disk() - self._written, now
        return self._others + self._written + more <= settings.CONFIG.prediction_log.spool_mb * 1_048_576

    def _open(self) -> int:
        if self._fd is None:
            path = spool_folder() / f"{time.time_ns()}-{os.getpid()}-{uuid4().hex[:8]}{ENDING}"
            # Locked under a name nobody looks for: a reader must never find it free.
            hidden = path.with_suffix(".new")
            handle = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            fcntl.flock(handle, fcntl.LOCK_EX)
            hidden.rename(path)
            fsync_folder(path.parent)
            self._fd, self._written = handle, 0
        return self._fd

    def _write(self, handle: int, data: bytes) -> None:
        try:
            done = os.write(handle, data)
            if done < len(data):
                raise OSError(f"only {done} of {len(data)} bytes were written")
        except OSError:
            os.ftruncate(handle, self._written)
            raise
        self._written += len(data)

    def _close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._others += self._written
            self._fd, self._written = None, 0

    def seal(self) -> None:
        """Let go of the open segment, so that it can be read back."""
        with self._lock:
            self._close()

    def restore(self, write: WriteRows, *, most: int | None = None) -> int:
        """Hand the rows of free segments to the database and remove them, the oldest first; return how many there were.

        A segment whose rows are not all stored stays: storing a row again changes nothing.
        """
        self.seal()
        return sum(_restored(path, write) for path in segments()[:most])


def _restored(path: Path, write: WriteRows) -> int:
    try:
        file = path.open("rb", buffering=READ_BYTES)
    except FileNotFoundError:
        return 0
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return 0
        if os.fstat(file.fileno()).st_nlink == 0:
            return 0  # another process has just stored it
        count = 0
        rows = _whole(rows_of(iter(file)), path)
        while batch := list(islice(rows, BATCH)):
            write(batch)
            count += len(batch)
        path.unlink()
    return count


def _whole(rows: Iterator[LogRow | None], path: Path) -> Iterator[LogRow]:
    for number, row in enumerate(rows):
        if row is None:
            logger.warning("line %d of %s is cut off or damaged", number + 1, path.name)
        else:
            yield row
