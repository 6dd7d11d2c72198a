"""Refused rows as a file a person mends, and the mended file as a source of rows."""

from __future__ import annotations

import csv
import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import IO, Any

import numpy as np
import orjson

from features.adapters.json_lines import json_column
from features.adapters.quarantine import QuarantinedRow
from features.core.coerce import Target
from features.core.mended import BESIDE, REASONS, ROW, TEXT, VERSION, cell_text, reasons_text, reference
from features.core.safe_cells import plain_cell, safe_cell
from features.core.sources import Malformed, RawChunk
from features.errors import EmptyFileError, FileMissingError, HeaderError, UnreadableFileError
from features.ground.canonical import digest
from features.ground.errors import bounded
from features.ground.files import fsync_folder
from features.ground.late import pa

CHUNK_ROWS = 10_000
# An empty cell is a missing value; in JSON that is null, and an empty text is a text.
MISSING: dict[str, set[str]] = {"csv": {""}, "jsonl": set()}
WRONG_SIZE, NOT_JSON = "wrong_number_of_fields", "not_json"


@contextmanager
def _written(path: Path) -> Iterator[IO[str]]:
    """Give a file to write to that takes its place once it is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o600)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    fsync_folder(path.parent)


def write_quarantined(path: Path, rows: Iterable[QuarantinedRow], columns: Sequence[str]) -> int:
    """Write refused rows to a CSV or JSON Lines file, readable by its owner alone, and return how many."""
    kind = _kind(path)
    written = -1 if kind == "csv" else 0
    with _written(path) as file:
        for line in csv_lines(rows, columns) if kind == "csv" else json_lines(rows):
            file.write(line)
            written += 1
    return written


def _kind(path: Path) -> str:
    kinds = {".csv": "csv", ".jsonl": "jsonl"}
    if path.suffix.lower() not in kinds:
        raise UnreadableFileError(f"refused rows are written to and read from .csv and .jsonl; got {path.name}")
    return kinds[path.suffix.lower()]


class _Line:
    """Where csv writes one line to."""

    def write(self, text: str) -> str:
        return text


def csv_lines(rows: Iterable[QuarantinedRow], columns: Sequence[str]) -> Iterator[str]:
    """Yield the lines of a CSV file of refused rows, its header first."""
    writer = csv.writer(_Line())

    def line(cells: Iterable[str]) -> str:
        return str(writer.writerow([safe_cell(cell) for cell in cells]))

    yield line([*columns, *BESIDE])
    for row in rows:
        values = [cell_text((row.values or {}).get(name)) for name in columns]
        yield line([*values, str(row.version), str(row.row), reasons_text(row.reasons), row.text])


def json_lines(rows: Iterable[QuarantinedRow]) -> Iterator[str]:
    """Yield the lines of a JSON Lines file of refused rows."""
    for row in rows:
        beside = {VERSION: row.version, ROW: row.row, REASONS: row.reasons} | ({TEXT: row.text} if row.text else {})
        yield orjson.dumps({**(row.values or {}), **beside}, default=str).decode() + "\n"


class MendedRows:
    """The rows of a mended file, those that stand for a refused one; it is read as it was written."""

    typed = False
    ragged = False
    timezone = ""

    def __init__(self, path: Path, dataset: str, columns: Sequence[str]) -> None:
        self.path, self.columns = path, list(columns)
        self.label = f"mended rows of {bounded(path.name, 200)}"
        self.kind = _kind(path)
        if not path.is_file():
            raise FileMissingError(f"no such file: {bounded(str(path))}", file=path.name)
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        self.fingerprint = digest({"mended": sha256, "format": self.kind, "dataset": dataset})
        self.left_out: set[int] = set()

    @cached_property
    def references(self) -> list[tuple[int, int] | None]:
        """Return which refused row each row of the file stands for."""
        found = [
            reference(record.get(VERSION), record.get(ROW)) if isinstance(record, dict) else None
            for _, record in self._records()
        ]
        if not found:
            raise EmptyFileError(f"{self.path.name} holds no row", file=self.path.name)
        return found

    def column_names(self) -> list[str]:
        """Return the contract's columns: each row has those it has."""
        return self.columns

    def chunks(self, columns: Sequence[str], target: Target | None = None) -> Iterator[RawChunk]:
        """Yield the rows that are not left out; numbers are those of the file's rows."""
        records = self._records()
        while some := list(islice(records, CHUNK_ROWS)):
            kept = [(place, record) for place, record in some if place - 1 not in self.left_out]
            good = [(place, record) for place, record in kept if isinstance(record, dict)]
            malformed = [
                Malformed(row=place, rule=WRONG_SIZE if self.kind == "csv" else NOT_JSON, text=str(record))
                for place, record in kept
                if not isinstance(record, dict)
            ]
            arrays = [json_column([record.get(name) for _, record in good], MISSING[self.kind]) for name in columns]
            table = pa.Table.from_arrays(arrays, names=list(columns))
            yield RawChunk(table=table, rows=np.array([place for place, _ in good], np.int64), malformed=malformed)

    def _records(self) -> Iterator[tuple[int, dict[str, Any] | str]]:
        try:
            with self.path.open(encoding="utf-8-sig", newline="") as file:
                yield from enumerate(self._csv(file) if self.kind == "csv" else self._json(file), start=1)
        except (UnicodeDecodeError, csv.Error) as error:
            raise UnreadableFileError(f"{self.path.name} can't be read: {error}", file=self.path.name) from error

    def _csv(self, file: IO[str]) -> Iterator[dict[str, Any] | str]:
        lines = csv.reader(file)
        names = [plain_cell(name) for name in next(lines, [])]
        self._check_names(names)
        for cells in lines:
            if len(cells) == len(names):
                yield dict(zip(names, map(plain_cell, cells), strict=True))
            elif cells:
                yield ",".join(cells)

    def _json(self, file: IO[str]) -> Iterator[dict[str, Any] | str]:
        for line in file:
            if line.strip():
                record = _object(line)
                if isinstance(record, dict):
                    self._check_names(list(record), partly=True)
                yield record

    def _check_names(self, names: Sequence[str], *, partly: bool = False) -> None:
        known = {*self.columns, *BESIDE}
        unknown = [name for name in names if name not in known]
        missing = [name for name in (*([] if partly else self.columns), VERSION, ROW) if name not in names]
        if unknown or missing or len(set(names)) != len(names):
            raise HeaderError(
                f"{self.path.name} must have the columns of the dataset, {VERSION} and {ROW}, each once; "
                f"missing: {bounded(missing)}, unknown: {bounded(unknown)}",
                file=self.path.name,
            )


def _object(line: str) -> dict[str, Any] | str:
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:
        return line
    return record if isinstance(record, dict) else line
