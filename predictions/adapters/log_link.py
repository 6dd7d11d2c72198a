"""The way from the prediction logs of web workers to the one process that writes for all of them.

A batch travels as lines in a file without a name, whose descriptor is sent; the answer says what became of it. All
ends are made before anything is forked and outlive who uses them: what waits at one is for the successor.
"""

import io
import logging
import multiprocessing
import os
import select
import socket
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from django.db import OperationalError

from predictions import metrics
from predictions.core.log_row import LogRow, rows_of

logger = logging.getLogger(__name__)
# A batch of few large answers goes in several parts, so that neither side holds all of them twice.
PART_BYTES = 4_194_304
# How often a worker that waits looks whether its writer is still there.
LOOK_S = 0.05
# What the writer is given beyond the time it may wait for the database; others' batches may come first.
GRACE_S = 2.0
TOKEN_BYTES = 16
ANSWER_BYTES = 4096
WRITTEN, AWAY, REFUSED, FAILED = b"W", b"A", b"R", b"F"
END = b"end"


class NoWriterError(Exception):
    """Nobody writes for this process now; it must do so itself."""


class RefusedRowsError(Exception):
    """The database takes one of the rows at no time."""


class LogLink:
    """The sockets between so many workers and the log writer, and one more by which the writer is told to end."""

    def __init__(self, workers: int) -> None:
        self._pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(workers + 1)]
        for end in (end for pair in self._pairs for end in pair):
            end.setblocking(False)
        # Which writer takes batches now, the first, the second, ...; 0 while there is none. Without a lock: who is
        # killed would leave it locked.
        self._writer = multiprocessing.RawValue("Q", 0)

    @property
    def writer(self) -> int:
        """Return the number of the writer that takes batches, or 0."""
        return int(self._writer.value)

    @writer.setter
    def writer(self, number: int) -> None:
        self._writer.value = number

    def of_worker(self, index: int) -> "WorkerEnd":
        """Return what the worker of this index sends by; it is called in the worker itself."""
        return WorkerEnd(self, self._pairs[index][0])

    def of_writer(self) -> list[socket.socket]:
        """Return where the writer receives."""
        return [end for _, end in self._pairs]

    def tell_end(self) -> None:
        """Tell the writer to end once it has taken what waits."""
        self._pairs[-1][0].send(END)

    def close(self) -> None:
        """Let go of all ends, where no process is left that uses them."""
        for end in (end for pair in self._pairs for end in pair):
            end.close()


@dataclass(kw_only=True, slots=True)
class _Asked:
    token: bytes
    writer: int
    until: float


class WorkerEnd:
    """Sends batches of one worker to the writer and waits for what becomes of them."""

    def __init__(self, link: LogLink, end: socket.socket) -> None:
        self._link, self._end = link, end
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._ours, self._count = os.urandom(TOKEN_BYTES // 2), 0
        # A writer that owes an answer is not asked again until it gives one.
        self._silent, self._said = 0, False

    def write(self, rows: Sequence[LogRow], patience_s: float) -> int:
        """Have rows stored; return how many.

        Raises
        ------
        django.db.OperationalError
            If the database is away.
        RefusedRowsError
            If it refuses one of them.
        NoWriterError
            If it is not known what became of them: whoever writes them again changes nothing.
        """
        if os.getpid() != self._pid:
            raise NoWriterError
        with self._lock:
            try:
                return sum(self._written(data, patience_s) for data in _parts(rows))
            except OSError as error:
                raise self._silence(str(error)) from error

    def _written(self, data: bytes, patience_s: float) -> int:
        self._drain()
        writer = self._link.writer
        if not writer or writer == self._silent:
            raise self._silence("there is none" if not writer else "it does not answer")
        self._count += 1
        token = self._ours + self._count.to_bytes(TOKEN_BYTES // 2, "big")
        handle = _file_of(data)
        try:
            socket.send_fds(self._end, [token], [handle])
        finally:
            os.close(handle)
        kind, text = self._answer(_Asked(token=token, writer=writer, until=time.monotonic() + GRACE_S + patience_s))
        if kind == AWAY:
            raise OperationalError(text)
        if kind == REFUSED:
            raise RefusedRowsError(text)
        if kind != WRITTEN:
            raise self._silence(text)
        self._said = False
        return int(text)

    def _answer(self, asked: _Asked) -> tuple[bytes, str]:
        while True:
            select.select([self._end], [], [], LOOK_S)
            for token, kind, text in self._received():
                if token == asked.token:
                    return kind, text
                self._count_foreign(token, kind, text)
            if self._link.writer != asked.writer:
                return FAILED, "it has ended"
            if time.monotonic() > asked.until:
                self._silent = asked.writer
                return FAILED, "it does not answer"

    def _drain(self) -> None:
        """Take answers nobody waits for any more."""
        for token, kind, text in self._received():
            self._silent = 0
            self._count_foreign(token, kind, text)

    def _count_foreign(self, token: bytes, kind: bytes, text: str) -> None:
        """Count what was written for a predecessor of this worker, which was killed before it could."""
        if kind == WRITTEN and not token.startswith(self._ours):
            metrics.prediction_log_written_total.inc(int(text))

    def _received(self) -> Iterator[tuple[bytes, bytes, str]]:
        while True:
            try:
                data = self._end.recv(ANSWER_BYTES)
            except BlockingIOError:
                return
            kind, text = data[TOKEN_BYTES : TOKEN_BYTES + 1], data[TOKEN_BYTES + 1 :]
            yield data[:TOKEN_BYTES], kind, text.decode(errors="replace")

    def _silence(self, why: str) -> NoWriterError:
        """Return the error, and say once that this process writes itself."""
        if not self._said:
            logger.warning("this process writes its prediction log itself until the log writer does: %s", why)
        self._said = True
        return NoWriterError(why)


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """What the writer was sent, and where its answer goes."""

    end: socket.socket
    token: bytes
    handle: int

    def rows(self) -> list[LogRow]:
        """Return its rows, and let go of the file.

        Raises
        ------
        ValueError
            If one of them can't be read.
        OSError
            If the file can't be.
        """
        with os.fdopen(self.handle, "rb", buffering=0) as file:
            # Both sides share the place in it.
            file.seek(0)
            found = list(rows_of(io.BytesIO(file.readall())))
        rows = [row for row in found if row is not None]
        if len(rows) < len(found):
            raise ValueError(f"{len(found) - len(rows)} of {len(found)} rows can't be read")
        return rows

    def drop(self) -> None:
        """Let go of the file unread."""
        if self.handle >= 0:
            os.close(self.handle)

    def answer(self, kind: bytes, text: str) -> None:
        """Tell the worker; one that takes no answers any more gets none."""
        try:
            self.end.send(self.token + kind + text.encode(errors="replace")[: ANSWER_BYTES - TOKEN_BYTES - 1])
        except OSError as error:
            logger.warning("a worker can't be told what became of a batch: %s", error)


def received(end: socket.socket) -> Batch | None:
    """Return a batch that waits at the writer's end, or None if this is the word to end.

    Raises
    ------
    BlockingIOError
        If nothing waits.
    """
    token, handles, _, _ = socket.recv_fds(end, TOKEN_BYTES, 1)
    if token == END:
        return None
    # A descriptor there was no room for is left out; the batch can't be read then.
    return Batch(end=end, token=token, handle=handles[0] if handles else -1)


def _parts(rows: Iterable[LogRow]) -> Iterator[bytes]:
    lines, size = list[bytes](), 0
    for row in rows:
        lines.append(row.line())
        size += len(lines[-1])
        if size >= PART_BYTES:
            yield b"".join(lines)
            lines, size = [], 0
    if lines:
        yield b"".join(lines)


def _file_of(data: bytes) -> int:
    """Return the descriptor of a file without a name that holds this."""
    handle = os.memfd_create("prediction-log") if hasattr(os, "memfd_create") else _unlinked()
    try:
        left = memoryview(data)
        while left:
            left = left[os.write(handle, left) :]
    except OSError:
        os.close(handle)
        raise
    return handle


def _unlinked() -> int:
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
