"""CSV and Parquet, a file or a folder, read in chunks of a fixed number of rows."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from pipeline.errors import UnknownFileError, UnreadableTableError

FORMATS = ("csv", "parquet")
_BLOCK_BYTES = 4 << 20
_READ_ERRORS = (pa.ArrowException, OSError, UnicodeDecodeError, csv.Error)


@dataclass(frozen=True, kw_only=True, slots=True)
class BadRow:
    """A row that is no row: where it stands, from 0, and what is wrong with it."""

    row: int
    reason: str
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Chunk:
    """Some rows in order, each with its number in the whole input, and the bad ones met on the way."""

    index: int
    rows: list[int]
    table: pa.Table
    bad: list[BadRow] = field(default_factory=list)


def table_format(path: Path) -> str:
    """Return the format a name stands for: that of its ending.

    Raises
    ------
    UnreadableTableError
        If the ending is neither .csv nor .parquet.
    """
    kind = path.suffix.lower().removeprefix(".")
    if kind not in FORMATS:
        raise UnreadableTableError(f"{path.name}: the name must end in .csv or .parquet, or be a folder of such files")
    return kind


class TableSource:
    """One table in one or several files of one format, the same columns in each.

    CSV values stay the text they are. An empty or absent file, or one without columns, is refused here.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.files = _files(path)
        self.format = table_format(self.files[0])
        self._estimate: int | None = None
        self.schema = self._schema_of(self.files[0])
        for file in self.files[1:]:
            if (names := self._schema_of(file).names) != self.schema.names:
                raise UnreadableTableError(f"{file.name} has the columns {names}, the first file {self.schema.names}")

    @property
    def columns(self) -> list[str]:
        """Return the names of the columns, in order."""
        return list(self.schema.names)

    def fingerprint(self) -> list[list[Any]]:
        """Return what changes when the input does: names, sizes and times of its files."""
        stats = [(file, file.stat()) for file in self.files]
        return [[str(file.resolve()), stat.st_size, stat.st_mtime_ns] for file, stat in stats]

    def estimated_rows(self) -> int:
        """Return about how many rows there are: exactly for Parquet, by the length of the first lines for CSV."""
        if self._estimate is None:
            if self.format == "parquet":
                self._estimate = sum(pq.read_metadata(file).num_rows for file in self.files)
            else:
                self._estimate = _csv_rows(self.files[0], sum(file.stat().st_size for file in self.files))
        return self._estimate

    def chunks(self, size: int) -> Iterator[Chunk]:
        """Yield all rows in chunks of `size`, the last one shorter; the same chunks each time.

        Raises
        ------
        UnreadableTableError
            If a file turns out to be damaged.
        """
        cutter = _Cutter(self.schema, size)
        for file in self.files:
            cutter.begin_file()
            try:
                for batch in self._batches(file, cutter, size):
                    yield from cutter.add(batch)
            except _READ_ERRORS as error:
                raise UnreadableTableError(f"{file.name} can't be read: {error}") from error
        yield from cutter.rest()

    def _schema_of(self, file: Path) -> pa.Schema:
        try:
            schema = _csv_schema(file) if self.format == "csv" else pq.read_schema(file)
        except _READ_ERRORS as error:
            raise UnreadableTableError(f"{file.name} is no {self.format} file: {error}") from error
        names = schema.names
        if not names:
            raise UnreadableTableError(f"{file.name} is empty: no header, no rows")
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise UnreadableTableError(f"{file.name} names columns twice: {twice}")
        return schema

    def _batches(self, file: Path, cutter: "_Cutter", size: int) -> Iterator[pa.RecordBatch]:
        if self.format == "parquet":
            with pq.ParquetFile(file) as parquet:
                yield from parquet.iter_batches(batch_size=min(size, 65_536), use_threads=False)
            return
        # One thread, so that a bad row knows its number.
        read = pacsv.ReadOptions(use_threads=False, block_size=_BLOCK_BYTES)
        parse = pacsv.ParseOptions(newlines_in_values=True, invalid_row_handler=cutter.bad_row)
        convert = pacsv.ConvertOptions(column_types=self.schema, strings_can_be_null=False)
        with file.open("rb") as handle, pacsv.open_csv(handle, read, parse, convert) as reader:
            yield from reader


class _Cutter:
    """Cuts a run of batches into chunks and gives every row its number."""

    def __init__(self, schema: pa.Schema, size: int) -> None:
        self._schema, self._size = schema, size
        self._tables: list[pa.Table] = []
        self._rows: list[int] = []
        self._bad: list[BadRow] = []
        self._skipped: set[int] = set()
        self._next, self._start, self._index = 0, 0, 0

    def begin_file(self) -> None:
        self._settle()
        self._start = self._next

    def bad_row(self, row: pacsv.InvalidRow) -> str:
        # The reader counts from 1 in each file, and counts the header.
        number = self._start + row.number - 2
        reason = f"{row.actual_columns} fields where the header has {row.expected_columns}"
        self._bad.append(BadRow(row=number, reason=reason, text=row.text[:1000]))
        self._skipped.add(number)
        return "skip"

    def add(self, batch: pa.RecordBatch) -> Iterator[Chunk]:
        self._tables.append(pa.Table.from_batches([batch]).select(self._schema.names))
        self._number(batch.num_rows)
        while len(self._rows) >= self._size:
            yield self._cut(self._size)

    def rest(self) -> Iterator[Chunk]:
        self._settle()
        if self._rows or self._bad:
            yield self._cut(len(self._rows), last=True)

    def _number(self, count: int) -> None:
        if not self._skipped:
            self._rows.extend(range(self._next, self._next + count))
            self._next += count
            return
        for _ in range(count):
            self._settle()
            self._rows.append(self._next)
            self._next += 1

    def _settle(self) -> None:
        while self._next in self._skipped:
            self._skipped.discard(self._next)
            self._next += 1

    def _cut(self, count: int, *, last: bool = False) -> Chunk:
        whole = pa.concat_tables(self._tables) if self._tables else self._schema.empty_table()
        rows, self._rows = self._rows[:count], self._rows[count:]
        self._tables = [whole.slice(count)] if self._rows else []
        # The reader runs ahead: a bad row belongs to the chunk that ends behind it.
        bad = self._bad if last else [fault for fault in self._bad if fault.row < rows[-1]]
        self._bad = self._bad[len(bad) :]
        self._index += 1
        return Chunk(index=self._index - 1, rows=rows, table=whole.slice(0, count), bad=bad)


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise UnknownFileError(f"there is no file or folder {path}")
    files = sorted(file for file in path.iterdir() if file.suffix.lower() in (".csv", ".parquet"))
    if not files:
        raise UnreadableTableError(f"the folder {path} holds no .csv and no .parquet file")
    if len(kinds := {table_format(file) for file in files}) > 1:
        raise UnreadableTableError(f"the folder {path} holds both formats, {' and '.join(sorted(kinds))}: keep one")
    return files


def _csv_schema(file: Path) -> pa.Schema:
    with file.open(newline="", encoding="utf-8-sig") as handle:
        header: Sequence[str] = next(csv.reader(handle), [])
    return pa.schema([(name, pa.string()) for name in header])


def _csv_rows(file: Path, size: int) -> int:
    with file.open("rb") as handle:
        head = handle.read(1 << 20)
    return size * max(head.count(b"\n"), 1) // max(len(head), 1)
