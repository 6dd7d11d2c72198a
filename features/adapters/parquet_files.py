"""Parquet files, in batches, as typed columns."""

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.adapters.hive import constant
from features.adapters.inputs import PlainFile
from features.adapters.unpacking import Limits
from features.core.coerce import is_text
from features.core.sources import RawChunk
from features.errors import ColumnsError, HeaderError, InputTooLargeError, UnreadableFileError
from features.ground.errors import bounded

BATCH_ROWS = 65_536
VARIABLE_BYTES = 8


def parquet_schema(file: PlainFile, limits: Limits) -> pa.Schema:
    """Return the columns of a Parquet file, after a look at how much it says it holds."""
    try:
        with pq.ParquetFile(file.path) as opened:
            schema, rows = opened.schema_arrow, opened.metadata.num_rows
    except (pa.ArrowException, OSError) as error:
        text = bounded(str(error).splitlines()[0], 200)
        raise UnreadableFileError(f"{file.label} is not a whole Parquet file: {text}", file=file.label) from error
    nested = [f"{column.name} is {bounded(str(column.type), 60)}" for column in schema if not _flat(column.type)]
    if nested:
        text = f"{file.label} has columns that hold other than single values: {bounded('; '.join(nested), 300)}"
        raise ColumnsError(f"{text}; make columns of their parts", columns=[each[:80] for each in nested[:20]])
    cells = rows * len(schema)
    if cells > limits.max_cells:
        text = f"{file.label} says it holds {rows} rows of {len(schema)} columns"
        raise InputTooLargeError(f"{text}; features.max_cells allows {limits.max_cells} values", file=file.label)
    # The footer's own byte counts are of the encoded pages: a run of 20 million equal numbers is a few bytes there.
    limits.check(file.label, file.size, rows * sum(_width(column.type) for column in schema))
    again = sorted(set(schema.names) & set(file.partition))
    if again:
        raise HeaderError(f"{file.label}: its folders and the file both have the columns {bounded(again)}")
    return schema


def parquet_chunks(
    file: PlainFile, types: dict[str, pa.DataType], missing: Sequence[str], *, before: int
) -> Iterator[RawChunk]:
    """Yield a Parquet file's rows; categories are read as the text they stand for."""
    texts = pa.array(missing, pa.string())
    with pq.ParquetFile(file.path) as opened:
        total, start = opened.metadata.num_rows or 1, before
        for batch in opened.iter_batches(batch_size=BATCH_ROWS, use_threads=False):
            columns = dict(zip(batch.schema.names, (_plain(column, texts) for column in batch.columns), strict=True))
            columns |= {name: constant(file.partition[name], kind, len(batch)) for name, kind in types.items()}
            before += len(batch)
            rows = np.arange(before + 1 - len(batch), before + 1)
            yield RawChunk(table=pa.table(columns), rows=rows, share=(before - start) / total)


def _flat(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        return _flat(kind.value_type)
    return not pa.types.is_nested(kind)


def _width(kind: pa.DataType) -> int:
    try:
        return max(1, int(kind.bit_width) // 8)
    except ValueError:
        return VARIABLE_BYTES


def _plain(column: pa.Array, missing: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if is_text(column.type):
        column = column.cast(pa.string())
        column = pc.if_else(pc.is_in(column, missing), None, column) if len(missing) else column
    return column
