"""Parquet files, in batches, as typed columns."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.core.coerce import is_text
from features.core.sources import RawChunk
from features.errors import UnreadableFileError
from features.ground.errors import bounded

BATCH_ROWS = 65_536


def parquet_names(path: Path) -> list[str]:
    """Return the names of a Parquet file's columns."""
    try:
        with pq.ParquetFile(path) as file:
            return list(file.schema_arrow.names)
    except (pa.ArrowInvalid, OSError) as error:
        text = bounded(str(error).splitlines()[0], 200)
        raise UnreadableFileError(f"{path.name} is not a whole Parquet file: {text}", file=path.name) from error


def parquet_chunks(path: Path, missing: Sequence[str], *, before: int) -> Iterator[RawChunk]:
    """Yield a Parquet file's rows; categories are read as the text they stand for."""
    texts = pa.array(missing, pa.string())
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=BATCH_ROWS):
            table = pa.Table.from_arrays([_plain(column, texts) for column in batch.columns], names=batch.schema.names)
            yield RawChunk(table=table, rows=np.arange(before + 1, before + 1 + len(table)))
            before += len(table)


def _plain(column: pa.Array, missing: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if is_text(column.type):
        column = column.cast(pa.string())
        column = pc.if_else(pc.is_in(column, missing), None, column) if len(missing) else column
    return column
