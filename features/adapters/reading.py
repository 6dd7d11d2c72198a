"""How files are to be read, which of the readers does it, and the name of their bytes."""

import codecs
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import pyarrow as pa

from features.adapters.csv_files import csv_chunks, csv_names
from features.adapters.json_lines import json_chunks, json_names
from features.adapters.parquet_files import parquet_chunks, parquet_names
from features.core.schema import check_names
from features.core.sources import RawChunk
from features.errors import (
    ColumnsError,
    EmptyFileError,
    FileMissingError,
    HeaderError,
    SchemaError,
    UnreadableFileError,
)
from features.ground.canonical import digest
from features.ground.errors import bounded

Format = Literal["csv", "parquet", "jsonl"]
SUFFIXES: dict[str, Format] = {
    ".csv": "csv", ".txt": "csv", ".parquet": "parquet", ".pq": "parquet", ".jsonl": "jsonl", ".ndjson": "jsonl",
}  # fmt: skip
CSV_MISSING = ("", "NA", "N/A", "#N/A", "NaN", "nan", "NULL", "null", "None")
BLOCK = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadOptions:
    """How to read a file.

    Parameters
    ----------
    format : str or None
        csv, parquet or jsonl; by default the file name says it.
    columns : tuple of str
        Names of the columns, needed where `header` is False.
    header : bool
        Whether a CSV file's first row holds the names.
    na : tuple of str or None
        Texts that mean missing; by default those people use in CSV, and none in the other formats.
    """

    format: Format | None = None
    columns: tuple[str, ...] = ()
    header: bool = True
    na: tuple[str, ...] | None = None


class Files:
    """One or more files of one format, as a source of rows."""

    def __init__(self, files: Sequence[Path], read: ReadOptions, label: str | None = None) -> None:
        self.files = [Path(file) for file in files]
        self.label = bounded(label or ", ".join(path.name for path in self.files), 300)
        self.read = read
        if not self.files:
            raise FileMissingError("name at least one file")
        if not read.header and not read.columns:
            raise HeaderError("a file without a header needs the names of its columns: --columns a,b,…")
        self.formats = {path: read.format or _format(path) for path in self.files}
        self.typed = set(self.formats.values()) == {"parquet"}
        self.ragged = set(self.formats.values()) == {"jsonl"}
        self.fingerprint = digest({"files": [self._sha256(path) for path in self.files], "read": self._how()})

    def _how(self) -> dict[str, object]:
        """Return all that decides what the bytes mean, the same whether it was said or left to the defaults."""
        formats = list(self.formats.values())
        missing = (CSV_MISSING if "csv" in formats else ()) if self.read.na is None else self.read.na
        return {**asdict(self.read), "format": formats, "na": sorted(set(missing))}

    def _sha256(self, path: Path) -> str:
        if not path.is_file():
            raise FileMissingError(f"no such file: {bounded(str(path))}", file=path.name)
        total = hashlib.sha256()
        text = codecs.getincrementaldecoder("utf-8")() if self.formats[path] != "parquet" else None
        done = 0
        with path.open("rb") as file:
            while block := file.read(BLOCK):
                total.update(block)
                _check_text(path, block, text, done)
                done += len(block)
        if not done:
            raise EmptyFileError(f"{path.name} is empty; expected at least one row", file=path.name)
        return total.hexdigest()

    def column_names(self) -> list[str]:
        """Return the names of the columns, the same in all files unless each row has its own."""
        found = [self._names(path) for path in self.files]
        for path, names in zip(self.files, found, strict=True):
            try:
                check_names(names)
            except SchemaError as error:
                raise HeaderError(f"{path.name}: {error.message}", file=path.name, **error.fields) from error
            if set(names) != set(found[0]) and not self.ragged:
                raise ColumnsError(f"{path.name} has other columns than {self.files[0].name}: {bounded(names)}")
        return list(dict.fromkeys(name for names in found for name in names))

    def _names(self, path: Path) -> list[str]:
        if self.formats[path] == "csv":
            return csv_names(path, self.read.columns, header=self.read.header)
        if self.formats[path] == "jsonl":
            return json_names(path)
        return parquet_names(path)

    def chunks(self, columns: Sequence[str]) -> Iterator[RawChunk]:
        """Yield all rows of all files, in order; numbers go on from file to file."""
        rows = 0
        for path in self.files:
            try:
                for chunk in self._chunks(path, columns, rows):
                    last = max([*chunk.rows[-1:], *(bad.row for bad in chunk.malformed)], default=rows)
                    rows = max(rows, int(last))
                    yield chunk
            except (pa.ArrowInvalid, OSError) as error:
                text = bounded(str(error).splitlines()[0], 200)
                raise UnreadableFileError(f"{path.name} can't be read as {self.formats[path]}: {text}") from error

    def _chunks(self, path: Path, columns: Sequence[str], before: int) -> Iterator[RawChunk]:
        missing = self.read.na
        if self.formats[path] == "csv":
            names = self._names(path)
            missing = CSV_MISSING if missing is None else missing
            return csv_chunks(path, names, missing, header=self.read.header, before=before)
        if self.formats[path] == "jsonl":
            return json_chunks(path, columns, missing or (), before=before)
        return parquet_chunks(path, missing or (), before=before)


def _format(path: Path) -> Format:
    if path.suffix.lower() not in SUFFIXES:
        allowed = ", ".join(SUFFIXES)
        raise UnreadableFileError(f"{path.name} ends in none of {allowed}; name its format with --format")
    return SUFFIXES[path.suffix.lower()]


def _check_text(path: Path, block: bytes, text: codecs.IncrementalDecoder | None, done: int) -> None:
    if text is None:
        return
    pending = len(text.getstate()[0])
    try:
        text.decode(block, final=len(block) < BLOCK)
    except UnicodeDecodeError as error:
        place = done - pending + error.start
        raise UnreadableFileError(f"{path.name} is not UTF-8: byte {place} is not part of a character") from error
