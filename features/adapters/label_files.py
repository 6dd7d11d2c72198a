"""Files of labels, read and written in parts: CSV, Parquet and JSON Lines, by the ending of the name."""

import csv
import io
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from features.errors import ColumnsError, EmptyFileError, FileMissingError, UnreadableFileError
from features.ground.errors import bounded
from features.ground.files import fsync_folder

# Rows, and bytes, that are in memory at a time.
PART_ROWS, PART_BYTES = 1_000_000, 256 << 20
LINES, BLOCK_BYTES = 50_000, 8 << 20
ENDINGS = {".csv": "csv", ".parquet": "parquet", ".pq": "parquet", ".jsonl": "jsonl", ".ndjson": "jsonl"}
Write = Callable[[pa.Table], None]


def file_kind(path: Path) -> str:
    """Return csv, parquet or jsonl, as the name says."""
    kind = ENDINGS.get(path.suffix.lower())
    if kind is None:
        raise UnreadableFileError(f"{bounded(path.name)} ends in none of {', '.join(ENDINGS)}", file=path.name)
    return kind


def label_parts(path: Path) -> Iterator[pa.Table]:
    """Yield a file's rows in order, in parts that fit into memory; CSV as text, where nothing is missing.

    Raises
    ------
    FileMissingError, UnreadableFileError, EmptyFileError
        If there is no such file, it holds something else, or no row.
    """
    reader = {"csv": _csv, "parquet": _parquet, "jsonl": _json_lines}[file_kind(path)]
    if not path.is_file():
        raise FileMissingError(f"no such file: {bounded(str(path))}", file=path.name)
    rows = 0
    try:
        for part in _grouped(reader(path)):
            rows += part.num_rows
            yield part
    except (pa.ArrowException, OverflowError) as error:
        reason = bounded(str(error).splitlines()[0], 200)
        raise UnreadableFileError(f"{path.name} can't be read as {file_kind(path)}: {reason}") from error
    if not rows:
        raise EmptyFileError(f"{path.name} holds no label; expected at least one row", file=path.name)


def _csv(path: Path) -> Iterator[pa.Table]:
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        names = next(csv.reader(file), [])
    if not names:
        raise EmptyFileError(f"{path.name} is empty; expected a header and at least one row", file=path.name)
    text = pa.csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False)
    parsing = pa.csv.ParseOptions(newlines_in_values=True)
    with pa.csv.open_csv(path, pa.csv.ReadOptions(block_size=BLOCK_BYTES), parsing, text) as reader:
        for batch in reader:
            yield pa.table(batch)


def _parquet(path: Path) -> Iterator[pa.Table]:
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches():
            yield pa.table(batch)


def _json_lines(path: Path) -> Iterator[pa.Table]:
    names: list[str] = []
    done = 0
    with path.open("rb") as file:
        while lines := list(islice(file, LINES)):
            rows = [_object(path, line, done + place) for place, line in enumerate(lines, 1) if line.strip()]
            names = names or list(dict.fromkeys(name for row in rows for name in row))
            later = {name for row in rows for name in row} - set(names)
            if later:
                raise ColumnsError(
                    f"{path.name} has fields that its first {LINES} lines lack: {bounded(sorted(later))}"
                )
            done += len(lines)
            yield pa.table({name: pa.array([row.get(name) for row in rows]) for name in names})


def _object(path: Path, line: bytes, number: int) -> dict[str, Any]:
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise UnreadableFileError(f"line {number} of {path.name} is not JSON: {error}", file=path.name) from error
    if not isinstance(row, dict):
        raise UnreadableFileError(f"line {number} of {path.name} is not an object: {bounded(repr(row), 60)}")
    return row


def _grouped(tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
    held: list[pa.Table] = []
    for table in tables:
        held.append(table)
        if sum(one.num_rows for one in held) >= PART_ROWS or sum(one.nbytes for one in held) >= PART_BYTES:
            yield _together(held)
            held = []
    if held:
        yield _together(held)


def _together(held: list[pa.Table]) -> pa.Table:
    return pa.concat_tables(held, promote_options="permissive")


@contextmanager
def writing(path: Path) -> Iterator[Write]:
    """Give a function that adds rows; the file takes its name when all are there, and not at all after an error."""
    writer = {"csv": _csv_writer, "parquet": _parquet_writer, "jsonl": _json_writer}[file_kind(path)]
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            with writer(file) as write:
                yield write
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    fsync_folder(path.parent)


@contextmanager
def _csv_writer(file: Any) -> Iterator[Write]:
    named: list[list[str]] = []
    text = io.TextIOWrapper(file, encoding="utf-8", newline="")
    rows = csv.writer(text, lineterminator="\n")

    def write(table: pa.Table) -> None:
        if not named:
            named.append(table.column_names)
            rows.writerow(table.column_names)
        rows.writerows(zip(*(_texts(name, table[name]) for name in table.column_names), strict=True))

    try:
        yield write
    finally:
        text.detach()


def _texts(name: str, column: pa.ChunkedArray) -> list[str | None]:
    try:
        texts = column.cast(pa.string())
    except pa.ArrowException as error:
        raise UnreadableFileError(f"column {name!r} holds {column.type}, which CSV has no form for") from error
    if pa.types.is_timestamp(column.type):
        texts = pc.replace_substring(texts, " ", "T")
    values: list[str | None] = texts.to_pylist()
    return values


@contextmanager
def _parquet_writer(file: Any) -> Iterator[Write]:
    opened: list[pq.ParquetWriter] = []

    def write(table: pa.Table) -> None:
        if not opened:
            opened.append(pq.ParquetWriter(file, table.schema, compression="zstd"))
        opened[0].write_table(table.cast(opened[0].schema))

    try:
        yield write
    finally:
        for writer in opened:
            writer.close()


@contextmanager
def _json_writer(file: Any) -> Iterator[Write]:
    def write(table: pa.Table) -> None:
        for batch in table.to_batches(max_chunksize=LINES):
            for row in batch.to_pylist():
                file.write(orjson.dumps(row, default=str, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z))

    yield write
