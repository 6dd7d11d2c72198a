"""Files as a source of rows: which of the readers does it, and the name of their bytes."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path

import pyarrow as pa

from features.adapters.csv_blocks import Dialect
from features.adapters.csv_files import CsvRows, csv_file
from features.adapters.hive import partition_types
from features.adapters.inputs import PlainFile, plain_files
from features.adapters.json_lines import json_chunks, json_names
from features.adapters.parquet_files import parquet_chunks, parquet_schema
from features.adapters.policy import file_limits
from features.adapters.read_options import CSV_MISSING, Format, ReadOptions
from features.core.coerce import Target
from features.core.schema import check_names
from features.core.sources import RawChunk
from features.errors import ColumnsError, FileMissingError, HeaderError, SchemaError, UnreadableFileError
from features.ground.canonical import digest
from features.ground.errors import bounded
from features.ground.paths import var_path

__all__ = ["CSV_MISSING", "Files", "Format", "ReadOptions", "opened_files"]


@contextmanager
def opened_files(
    files: Sequence[Path], read: ReadOptions, label: str | None, told: Callable[[float], None]
) -> Iterator["Files"]:
    """Give files as a source of rows; what had to be unpacked for it is gone afterwards."""
    if not files:
        raise FileMissingError("name at least one file")
    read, limits = read.checked(), file_limits()
    with tempfile.TemporaryDirectory(prefix="read-", dir=var_path("staging", "x").parent) as folder:
        plain = plain_files(files, read, Path(folder), limits, told)
        yield Files(plain, read, bounded(label or ", ".join(path.name for path in files), 300))


class Files:
    """One or more files of one format, as a source of rows."""

    def __init__(self, files: Sequence[PlainFile], read: ReadOptions, label: str) -> None:
        self.files, self.read, self.label, self.timezone = list(files), read, label, read.timezone
        self.limits = file_limits()
        self._opened: dict[Path, CsvRows] = {}
        formats = {file.format for file in files}
        self.typed, self.ragged = formats == {"parquet"}, formats == {"jsonl"}
        self.fingerprint = digest({"files": [file.sha256 for file in files], "read": self._how()})

    def _how(self) -> dict[str, object]:
        """Return all that decides what the bytes mean, the same whether it was said or left to the defaults."""
        formats = [file.format for file in self.files]
        missing = {text for kind in formats for text in self.read.missing(kind)}
        how = {"columns": self.read.columns, "header": self.read.header, "format": formats, "na": sorted(missing)}
        # Said only where it is not what it always was, so that bytes ingested by an older version keep their name.
        said, usual = asdict(self.read), asdict(ReadOptions())
        how |= {key: said[key] for key in ("quote", "encoding") if said[key] != usual[key] and not self.typed}
        delimiters = {self._dialect(file).delimiter for file in self.files if file.format == "csv"} - {","}
        partitions = [dict(file.partition) for file in self.files]
        return {
            **how,
            **({"delimiter": sorted(delimiters)} if delimiters else {}),
            **({"partitions": partitions} if any(partitions) else {}),
        }

    def _dialect(self, file: PlainFile) -> Dialect:
        usual = "\t" if Path(file.label).suffix.lower() == ".tsv" else ","
        return Dialect(delimiter=self.read.delimiter or usual, quote=self.read.quote)

    def column_names(self) -> list[str]:
        """Return the names of the columns, the same in all files unless each row has its own."""
        found = [self._names(file) for file in self.files]
        for file, names in zip(self.files, found, strict=True):
            try:
                check_names(names)
            except SchemaError as error:
                raise HeaderError(f"{file.label}: {error.message}", file=file.label, **error.fields) from error
            if set(names) != set(found[0]) and not self.ragged:
                raise ColumnsError(f"{file.label} has other columns than {self.files[0].label}: {bounded(names)}")
        return list(dict.fromkeys(name for names in found for name in names))

    def _names(self, file: PlainFile) -> list[str]:
        if file.format == "csv":
            return list(self._csv(file).file.names)
        if file.format == "jsonl":
            return json_names(file)
        return [*parquet_schema(file, self.limits).names, *file.partition]

    def _csv(self, file: PlainFile) -> CsvRows:
        if file.path not in self._opened:
            missing, dialect = self.read.missing("csv"), self._dialect(file)
            names, header = self.read.columns, self.read.header
            found = csv_file(file.path, names, missing, dialect, header=header, label=file.label)
            self._opened[file.path] = CsvRows(found)
        return self._opened[file.path]

    @cached_property
    def _partitions(self) -> dict[str, pa.DataType]:
        return partition_types(self.label, [file.partition for file in self.files])

    def chunks(self, columns: Sequence[str], target: Target | None = None) -> Iterator[RawChunk]:
        """Yield all rows of all files, in order; numbers go on from file to file."""
        rows = read = 0
        total = sum(file.size for file in self.files)
        for file in self.files:
            try:
                for chunk in self._chunks(file, columns, target, rows):
                    last = max([*chunk.rows[-1:], *(bad.row for bad in chunk.malformed)], default=rows)
                    rows = max(rows, int(last))
                    share = (read + chunk.share * file.size) / total
                    yield replace(chunk, share=share)
            except (pa.ArrowInvalid, OSError) as error:
                # What can't be written to a full disk is not the file's fault.
                if isinstance(error, OSError) and error.errno is not None:
                    raise
                text = bounded(str(error).splitlines()[0], 200)
                raise UnreadableFileError(f"{file.label} can't be read as {file.format}: {text}") from error
            read += file.size

    def _chunks(
        self, file: PlainFile, columns: Sequence[str], target: Target | None, before: int
    ) -> Iterator[RawChunk]:
        if file.format == "csv":
            return self._csv(file).chunks(target, before=before)
        missing = self.read.missing(file.format)
        if file.format == "jsonl":
            return json_chunks(file, columns, missing, before=before)
        return parquet_chunks(file, self._partitions, missing, before=before)
