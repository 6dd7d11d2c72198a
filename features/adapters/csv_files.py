"""CSV files, in blocks, as text, or in the contract's types where every value of a block fits."""

import csv
import io
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv

from features.adapters.csv_blocks import Block, Dialect, blocks, first_row
from features.core.coerce import Target, coerced_table
from features.core.infer import ColumnGuess
from features.core.sources import Malformed, RawChunk
from features.errors import EmptyFileError, HeaderError
from features.ground.errors import bounded

WORKERS = min(4, os.cpu_count() or 1)
KEPT_BYTES = 192 << 20
OTHER_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
WRONG_SIZE = "wrong_number_of_fields"


@dataclass(frozen=True, kw_only=True, slots=True)
class CsvFile:
    """A CSV file's names, and how to read the rest of it."""

    path: Path
    dialect: Dialect
    names: tuple[str, ...]
    start: int
    missing: tuple[str, ...]


def csv_file(
    path: Path, columns: Sequence[str], missing: Sequence[str], dialect: Dialect, *, header: bool, label: str
) -> CsvFile:
    """Return a CSV file with the names of its columns, from its first row unless they are given."""
    row, end = first_row(path, dialect)
    first = _fields(row, dialect, label)
    if not first:
        raise EmptyFileError(f"{label} holds no row", file=label)
    names = list(columns) or first
    _check_delimiter(label, first, names, dialect)
    if len(names) != len(first):
        raise HeaderError(f"{label} has {len(first)} columns in its first row; {len(names)} were named", file=label)
    return CsvFile(path=path, dialect=dialect, names=tuple(names), start=end if header else 0, missing=tuple(missing))


def _fields(row: bytes, dialect: Dialect, label: str) -> list[str]:
    lines = io.StringIO(row.decode("utf-8", errors="replace"), newline="")
    # A field over the limit is not a header anybody meant.
    try:
        if dialect.quote:
            return next(csv.reader(lines, delimiter=dialect.delimiter, quotechar=dialect.quote), [])
        return next(csv.reader(lines, delimiter=dialect.delimiter, quoting=csv.QUOTE_NONE), [])
    except csv.Error as error:
        raise HeaderError(f"{label}: its first row can't be read: {error}", file=label) from error


def _check_delimiter(label: str, first: list[str], names: list[str], dialect: Dialect) -> None:
    other = [word for sign, word in OTHER_DELIMITERS.items() if sign in first[0] and sign != dialect.delimiter]
    if len(first) == 1 and other and (len(names) > 1 or names == first):
        asked = OTHER_DELIMITERS.get(dialect.delimiter, repr(dialect.delimiter))
        text = f"{label} must be separated by {asked}; its first row seems to be separated by {other[0]}"
        raise HeaderError(f"{text}: {bounded(first[0], 80)!r}; name what separates with --delimiter", file=label)


class CsvRows:
    """A CSV file's rows, to be read several times: what the first time typed is kept for the second, up to a limit.

    The first time nobody has said yet what the columns are to become, and what they hold is inferred; the second time
    it is checked, mostly against the very types that were guessed from the first block.
    """

    def __init__(self, file: CsvFile) -> None:
        self.file = file
        self.guess: Target | None = None
        self.kept: deque[RawChunk] = deque()
        self.kept_end = self.kept_rows = 0

    def chunks(self, target: Target | None, *, before: int) -> Iterator[RawChunk]:
        """Yield the rows; those with too few or too many fields are malformed."""
        start, usable = self.file.start, target is not None and self._fits(target)
        if usable:
            start, before = self.kept_end, self.kept_rows
        while usable and self.kept:
            yield self.kept.popleft()
        self.kept.clear()
        found = blocks(self.file.path, self.file.dialect, start)
        if target is None:
            first = next(found, None)
            found = chain(() if first is None else (first,), found)
            self.guess = _guess(_text(self.file, first)) if first is not None else None
        yield from self._read(found, target, before)

    def _fits(self, target: Target) -> bool:
        # What counts as a time without its zone depends on the zone: only what has one is the same for all.
        return bool(self.kept) and self.guess is not None and target == self.guess

    def _read(self, found: Iterable[Block], target: Target | None, before: int) -> Iterator[RawChunk]:
        size, left = self.file.path.stat().st_size, KEPT_BYTES if target is None else 0
        with ThreadPoolExecutor(WORKERS) as pool:
            work = partial(_parsed, self.file, target or self.guess)
            for block, (table, bad, typed) in _ahead(pool, work, found):
                numbers = [row.number for row in bad]
                chunk = RawChunk(
                    table=table,
                    rows=_row_numbers(before, table.num_rows, numbers),
                    malformed=[Malformed(row=before + row.number, rule=WRONG_SIZE, text=row.text) for row in bad],
                    share=block.end / size,
                )
                before += table.num_rows + len(bad)
                fast = chunk if typed is None else replace(chunk, table=typed, text=partial(_text, self.file, block))
                left -= fast.table.nbytes
                if left > 0:
                    self.kept.append(
                        replace(fast, text=fast.text and partial(_again, self.file, block.start, block.end))
                    )
                    self.kept_end, self.kept_rows = block.end, before
                else:
                    left = 0
                if target is not None:
                    yield fast
                else:
                    yield chunk if typed is None or self.guess is None else replace(chunk, fitting=self.guess.dtypes)


Parsed = tuple[pa.Table, list[pyarrow.csv.InvalidRow], pa.Table | None]


def _ahead(
    pool: ThreadPoolExecutor, work: Callable[[Block], Parsed], found: Iterable[Block]
) -> Iterator[tuple[Block, Parsed]]:
    """Yield each block with its outcome, in order, a few of them in work at a time."""
    waiting: deque[tuple[Block, Future[Parsed]]] = deque()
    source = iter(found)
    try:
        while True:
            waiting.extend((block, pool.submit(work, block)) for block in islice(source, WORKERS + 1 - len(waiting)))
            if not waiting:
                return
            block, future = waiting.popleft()
            yield block, future.result()
    finally:
        for _, future in waiting:
            future.cancel()


def _guess(table: pa.Table) -> Target:
    guesses = [ColumnGuess(name) for name in table.column_names]
    for guess in guesses:
        guess.update(table.column(guess.name).combine_chunks())
    return Target(dtypes={guess.name: guess.column().dtype for guess in guesses})


def _parsed(file: CsvFile, target: Target | None, block: Block) -> Parsed:
    table, bad = _read(file, block)
    return table, bad, coerced_table(table, target) if target else None


def _text(file: CsvFile, block: Block) -> pa.Table:
    return _read(file, block)[0]


def _again(file: CsvFile, start: int, end: int) -> pa.Table:
    with file.path.open("rb") as opened:
        opened.seek(start)
        return _text(file, Block(data=opened.read(end - start), end=end))


def _read(file: CsvFile, block: Block) -> tuple[pa.Table, list[pyarrow.csv.InvalidRow]]:
    """Parse a block as text; one thread, as only then malformed rows are numbered."""
    bad: list[pyarrow.csv.InvalidRow] = []

    def note(row: pyarrow.csv.InvalidRow) -> str:
        bad.append(row)
        return "skip"

    names = list(file.names)
    try:
        table = pyarrow.csv.read_csv(
            pa.BufferReader(block.data),
            read_options=pyarrow.csv.ReadOptions(use_threads=False, block_size=len(block.data) + 1, column_names=names),
            parse_options=pyarrow.csv.ParseOptions(
                delimiter=file.dialect.delimiter,
                quote_char=file.dialect.quote or False,
                newlines_in_values=bool(file.dialect.quote),
                invalid_row_handler=note,
            ),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types={name: pa.string() for name in names},
                null_values=list(file.missing),
                strings_can_be_null=True,
            ),
        )
    except pa.ArrowInvalid as error:
        # Blank lines only.
        if "Empty CSV" not in str(error):
            raise
        table = pa.table({name: pa.array([], pa.string()) for name in names})
    return table, bad


def _row_numbers(before: int, count: int, bad: Sequence[int]) -> npt.NDArray[np.int64]:
    """Return the numbers of the rows that are not malformed."""
    numbers = np.arange(1, count + len(bad) + 1)
    return before + (np.delete(numbers, np.array(bad) - 1) if bad else numbers)
