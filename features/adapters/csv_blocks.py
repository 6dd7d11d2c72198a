"""A CSV file's bytes in blocks of whole rows, so that each can be read by itself, on whichever core is free."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from features.errors import InputTooLargeError, UnreadableFileError

BLOCK_BYTES = 2 << 20
MAX_ROW_BYTES = 4 << 20
MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """How a file separates and quotes its fields; an empty quote means that no sign quotes."""

    delimiter: str = ","
    quote: str = '"'

    @cached_property
    def quoted(self) -> re.Pattern[bytes]:
        """Return the pattern of a quoted field: a quote counts only where a field begins, twice is once."""
        quote, delimiter = re.escape(self.quote.encode()), re.escape(self.delimiter.encode())
        before = rb"(?:\A|(?<=[" + delimiter + rb"\r\n]))"
        return re.compile(
            before + quote + rb"[^" + quote + rb"]*(?:" + quote * 2 + rb"[^" + quote + rb"]*)*(" + quote + rb"|\Z)"
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """Whole rows, and how many of the file's bytes end with them."""

    data: bytes
    end: int

    @property
    def start(self) -> int:
        """Return the byte of the file it begins at."""
        return self.end - len(self.data)


def first_row(path: Path, dialect: Dialect) -> tuple[bytes, int]:
    """Return a file's first row that isn't blank, and how many bytes it and all before it take."""
    with path.open("rb") as file:
        data = file.read(MAX_ROW_BYTES)
        final = len(data) < MAX_ROW_BYTES
    start = len(MARK) if data.startswith(MARK) else 0
    while data[start : start + 1] in (b"\r", b"\n"):
        start += 1
    rest = data[start:]
    stop = _first_end(rest, dialect)
    if stop is None:
        if not final:
            raise _too_long(path, start)
        stop = len(rest)
    return rest[:stop], start + stop


def blocks(path: Path, dialect: Dialect, start: int) -> Iterator[Block]:
    """Yield the rows from a byte on, in blocks."""
    with path.open("rb") as file:
        file.seek(start)
        rest, done = b"", start
        while True:
            read = file.read(BLOCK_BYTES)
            data = rest + read
            if not read:
                if data:
                    _last_end(data, dialect, path, done, final=True)
                    yield Block(data=data, end=done + len(data))
                return
            cut = _last_end(data, dialect, path, done, final=False)
            if not cut and len(data) > MAX_ROW_BYTES:
                raise _too_long(path, done)
            rest = data[cut:]
            done += cut
            if cut:
                yield Block(data=data[:cut], end=done)


def _too_long(path: Path, start: int) -> InputTooLargeError:
    limit = MAX_ROW_BYTES >> 20
    text = f"{path.name}: the row at byte {start} is longer than {limit} MiB; a quote before it may not be closed"
    return InputTooLargeError(text, file=path.name, byte=start)


def _first_end(data: bytes, dialect: Dialect) -> int | None:
    """Return where the first row ends, or None if it doesn't."""
    ends = (found.start() for found in re.finditer(rb"[\r\n]", data))
    spans = dialect.quoted.finditer(data) if dialect.quote else iter(())
    span = next(spans, None)
    for end in ends:
        while span is not None and span.end() <= end:
            span = next(spans, None)
        if span is None or end < span.start():
            return end
    return None


def _last_end(data: bytes, dialect: Dialect, path: Path, done: int, *, final: bool) -> int:
    """Return where the last whole row ends, 0 if none does."""
    quote = dialect.quote.encode()
    opened = None
    if quote and quote in data:
        places = np.flatnonzero(np.frombuffer(data, np.uint8) == quote[0])
        if _all_at_edges(data, places, dialect):
            starts, stops = places[0::2], places[1::2]
        else:
            spans = [(span.start(), span.end() - 1, bool(span.group(1))) for span in dialect.quoted.finditer(data)]
            starts = np.array([start for start, _, _ in spans], np.int64)
            stops = np.array([stop for _, stop, closed in spans if closed], np.int64)
        opened = int(starts[-1]) if len(starts) > len(stops) else None
        if final and opened is not None:
            text = f"{path.name}: the quote opened at byte {done + opened} is never closed"
            raise UnreadableFileError(text, file=path.name, byte=done + opened)
        return len(data) if final else _before_quotes(data, starts, stops)
    return len(data) if final else _newline(data, len(data))


def _all_at_edges(data: bytes, places: npt.NDArray[np.int64], dialect: Dialect) -> bool:
    """Tell whether each quote opens or closes a whole field, or is one of a pair, as in files that machines write."""
    signs = np.frombuffer(b"\n" + data + b"\n", np.uint8)
    edges = np.zeros(256, bool)
    edges[[ord(dialect.delimiter), ord("\n"), ord("\r"), ord(dialect.quote)]] = True
    return bool(edges[signs[places[0::2]]].all() and edges[signs[places[1::2] + 2]].all())


def _before_quotes(data: bytes, starts: npt.NDArray[np.int64], stops: npt.NDArray[np.int64]) -> int:
    """Return where the last row ends whose line break isn't inside quotes."""
    end = _newline(data, len(data))
    while end:
        place = int(np.searchsorted(starts, end - 1)) - 1
        if place < 0 or (place < len(stops) and stops[place] < end - 1):
            return end
        end = _newline(data, int(starts[place]))
    return 0


def _newline(data: bytes, stop: int) -> int:
    """Return the place after the last line break before `stop`, 0 if there is none."""
    # A file of bare carriage returns has no other line breaks.
    return (data.rfind(b"\n", 0, stop) + 1) or (data.rfind(b"\r", 0, stop) + 1)
