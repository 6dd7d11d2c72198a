"""CSV files, in blocks, as text."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from features.core.sources import Malformed, RawChunk
from features.errors import EmptyFileError, HeaderError
from features.ground.errors import bounded

BLOCK_BYTES = 4 << 20
OTHER_DELIMITERS = {";": "semicolons", "\t": "tabs", "|": "bars"}
WRONG_SIZE = "wrong_number_of_fields"


def csv_names(path: Path, columns: Sequence[str], *, header: bool) -> list[str]:
    """Return the names of a CSV file's columns, from its first row unless they are given."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        # A field over the limit is not a header anybody meant.
        try:
            first = next(csv.reader(file), [])
        except csv.Error as error:
            raise HeaderError(f"{path.name}: its first row can't be read: {error}", file=path.name) from error
    if not first:
        raise EmptyFileError(f"{path.name} holds no row", file=path.name)
    names = list(columns) or first
    _check_delimiter(path, first, names)
    if len(names) != len(first):
        raise HeaderError(
            f"{path.name} has {len(first)} columns in its first row; {len(names)} were named", file=path.name
        )
    return names


def _check_delimiter(path: Path, first: list[str], names: list[str]) -> None:
    other = [word for sign, word in OTHER_DELIMITERS.items() if sign in first[0]]
    if len(first) == 1 and other and (len(names) > 1 or names == first):
        text = f"{path.name} must be separated by commas; its first row seems to be separated by {other[0]}"
        raise HeaderError(f"{text}: {bounded(first[0], 80)!r}", file=path.name)


def csv_chunks(
    path: Path, names: Sequence[str], missing: Sequence[str], *, header: bool, before: int
) -> Iterator[RawChunk]:
    """Yield a CSV file's rows; those with too few or too many fields are malformed."""
    bad: list[Malformed] = []

    def note(row: pyarrow.csv.InvalidRow) -> str:
        bad.append(Malformed(row=before + row.number - header, rule=WRONG_SIZE, text=row.text))
        return "skip"

    # One thread: only then are malformed rows numbered.
    options = {
        "read_options": pyarrow.csv.ReadOptions(
            use_threads=False, block_size=BLOCK_BYTES, column_names=list(names), skip_rows=int(header)
        ),
        "parse_options": pyarrow.csv.ParseOptions(newlines_in_values=True, invalid_row_handler=note),
        "convert_options": pyarrow.csv.ConvertOptions(
            column_types={name: pa.string() for name in names}, strings_can_be_null=False
        ),
    }
    try:
        reader = pyarrow.csv.open_csv(path, **options)
    except pa.ArrowInvalid as error:
        # Nothing below the header, with or without an end of line.
        if "Empty CSV" in str(error) or "Could not skip initial" in str(error):
            return
        raise
    yield from _numbered(reader, missing, bad, before)


def _numbered(
    reader: pyarrow.csv.CSVStreamingReader, missing: Sequence[str], bad: list[Malformed], before: int
) -> Iterator[RawChunk]:
    next_row, told = before + 1, 0
    with reader:
        for batch in reader:
            rows = _row_numbers(next_row, batch.num_rows, [row.row for row in bad])
            next_row = int(rows[-1]) + 1 if len(rows) else next_row
            yield RawChunk(table=_with_missing(pa.table(batch), missing), rows=rows, malformed=bad[told:])
            told = len(bad)
        if bad[told:]:
            empty = pa.table({name: pa.array([], pa.string()) for name in reader.schema.names})
            yield RawChunk(table=empty, rows=np.zeros(0, np.int64), malformed=bad[told:])


def _row_numbers(first: int, count: int, bad: Sequence[int]) -> npt.NDArray[np.int64]:
    """Return the numbers of the next rows, leaving out those that were malformed."""
    candidates = np.arange(first, first + count + len(bad))
    return candidates[~np.isin(candidates, bad)][:count]


def _with_missing(table: pa.Table, missing: Sequence[str]) -> pa.Table:
    texts = pa.array(missing, pa.string())
    columns = [pc.if_else(pc.is_in(column, texts), None, column) for column in table.columns]
    return pa.Table.from_arrays(columns, names=table.column_names)
