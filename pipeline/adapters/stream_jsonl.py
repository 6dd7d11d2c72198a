"""A file of lines as a stream: answers and position move together, and a kill loses and doubles nothing."""

import fcntl
import json
import os
import uuid
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from features.ground.files import write_atomic
from pipeline.core.streaming import MAX_MESSAGE_BYTES, Answer, Message
from pipeline.errors import InputChangedError, InvalidStreamError, OutputBusyError, UnknownFileError


@dataclass(frozen=True, kw_only=True, slots=True)
class Position:
    """How far a stream is: bytes and lines read, bytes written, and what the last line read was."""

    stream: str
    byte: int = 0
    line: int = 0
    output_bytes: int = 0
    dead_bytes: int = 0
    last_start: int = 0
    last_bytes: int = 0
    last_digest: str = ""


class JsonlSource:
    """One input file, one output file, `OUTPUT.dead` for dead letters and `OUTPUT.offset` for the position.

    The position file is replaced after the answers are on disk; whatever stands behind it is cut off at the next start.
    """

    def __init__(self, source: Path, output: Path) -> None:
        if not source.is_file():
            raise UnknownFileError(f"there is no file {source}")
        if output.resolve() == source.resolve():
            raise InvalidStreamError("the output must be another file than the input")
        if not output.parent.is_dir():
            raise InvalidStreamError(f"there is no folder {output.parent} to write to")
        self._path, self._output = source, output
        self._dead = output.with_name(f"{output.name}.dead")
        self._sidecar = output.with_name(f"{output.name}.offset")
        self._lock = self._locked(output)
        self._files = ExitStack()
        try:
            self.recover()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the files and let another process in."""
        self._files.close()
        self._lock.close()

    @property
    def name(self) -> str:
        """Return the output's name: one process at a time writes there."""
        return self._output.name

    def lag(self) -> int | None:
        """Return None: lines are not counted before they are read."""
        return None

    @property
    def ready(self) -> bool:
        """Tell that lines can be read: always."""
        return True

    def recover(self) -> None:
        """Go back to the committed position: cut off what was written behind it."""
        self._files.close()
        self._position = self._read_position()
        self._input: BinaryIO = self._files.enter_context(self._path.open("rb"))
        self._check_input()
        self._out = self._files.enter_context(self._cut(self._output, self._position.output_bytes))
        self._dead_out = self._files.enter_context(self._cut(self._dead, self._position.dead_bytes))
        self._line, self._byte = self._position.line, self._position.byte
        self._last, self._last_start = b"", self._byte

    def poll(self, limit: int) -> list[Message]:
        """Return up to `limit` whole lines; a line still being written is left for later."""
        messages: list[Message] = []
        while len(messages) < limit and (message := self._next(whole=True)) is not None:
            messages.append(message)
        return messages

    def drain(self) -> list[Message]:
        """Return the last line if it has no line break."""
        message = self._next(whole=False)
        return [] if message is None else [message]

    def commit(self, answers: Sequence[Answer]) -> None:
        """Write the answers, then move the position behind their lines."""
        for file, dead in ((self._out, False), (self._dead_out, True)):
            file.write(b"".join(answer.body + b"\n" for answer in answers if answer.dead == dead))
            file.flush()
            os.fsync(file.fileno())
        self._position = Position(
            stream=self._position.stream,
            byte=self._byte,
            line=self._line,
            output_bytes=self._out.tell(),
            dead_bytes=self._dead_out.tell(),
            last_start=self._last_start,
            last_bytes=len(self._last),
            last_digest=sha256(self._last).hexdigest(),
        )
        write_atomic(self._sidecar, json.dumps(asdict(self._position)).encode())

    def _next(self, *, whole: bool) -> Message | None:
        start = self._byte
        self._input.seek(start)
        kept = self._input.readline(MAX_MESSAGE_BYTES + 1)
        last, length = kept, len(kept)
        while last and not last.endswith(b"\n"):
            last = self._input.readline(MAX_MESSAGE_BYTES)
            length += len(last)
            if not last and whole:
                return None
        if not length:
            return None
        self._byte, self._last, self._last_start = start + length, kept, start
        self._line += 1
        body = kept.rstrip(b"\r\n")
        return Message(
            topic=f"{self._path.name[:200]}:{self._position.stream}",
            partition=0,
            offset=self._line - 1,
            value=body,
            too_large=length > len(kept) or len(body) > MAX_MESSAGE_BYTES,
        )

    def _read_position(self) -> Position:
        if not self._sidecar.exists():
            # A name of its own, so that another stream over a file of this name is not taken for this one.
            fresh = Position(stream=uuid.uuid4().hex[:12])
            write_atomic(self._sidecar, json.dumps(asdict(fresh)).encode())
            return fresh
        try:
            return Position(**json.loads(self._sidecar.read_bytes()))
        except (ValueError, TypeError) as error:
            raise InvalidStreamError(f"{self._sidecar} is no position of a stream: remove it to start anew") from error

    def _check_input(self) -> None:
        position = self._position
        self._input.seek(position.last_start)
        found = self._input.read(position.last_bytes)
        if position.line and sha256(found).hexdigest() != position.last_digest:
            raise InputChangedError(
                f"{self._path.name} is not the file this stream stopped in at line {position.line}: "
                f"give another --output, or remove {self._sidecar.name} to start anew",
                line=position.line,
            )

    @staticmethod
    def _cut(path: Path, length: int) -> BinaryIO:
        file = path.open("r+b" if path.exists() else "w+b")
        size = file.seek(0, os.SEEK_END)
        if size < length:
            file.close()
            raise InputChangedError(f"{path.name} is shorter than what was committed to it: {size} of {length} bytes")
        file.truncate(length)
        file.seek(length)
        return file

    @staticmethod
    def _locked(path: Path) -> BinaryIO:
        file = path.open("ab")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.close()
            raise OutputBusyError(f"another process is writing to {path.name}") from error
        return file
