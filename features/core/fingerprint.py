"""Names for content: equal rows and columns have equal names, wherever and whenever they are made."""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.ground.canonical import canonical_json


def table_digest(table: pa.Table, columns: Sequence[dict[str, Any]]) -> str:
    """Return the sha256 of a table's rows and of what its columns are for.

    Parameters
    ----------
    table : pyarrow.Table
        Integers, numbers, booleans, text and times; row order counts.
    columns : sequence of dict
        Description of each column, JSON-compatible.

    Returns
    -------
    str
        64 hexadecimal digits. Independent of chunking and of what null slots happen to hold.
    """
    total = hashlib.sha256(canonical_json({"columns": list(columns), "rows": table.num_rows}))
    for name in table.column_names:
        _add_column(total, table.column(name))
    return total.hexdigest()


def _add_column(total: "hashlib._Hash", column: pa.ChunkedArray) -> None:
    total.update(np.packbits(pc.is_null(column).to_numpy(zero_copy_only=False)).tobytes())
    if pa.types.is_string(column.type):
        filled = pc.fill_null(column, "")
        total.update(pc.binary_length(filled).to_numpy().astype("<i8").tobytes())
        for chunk in filled.chunks:
            total.update(_text_bytes(chunk))
        return
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.int64())
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.uint8())
    values = pc.fill_null(column, 0).to_numpy()
    total.update(np.ascontiguousarray(values).astype(values.dtype.newbyteorder("<")).tobytes())


def _text_bytes(chunk: pa.StringArray) -> bytes:
    offsets = np.frombuffer(chunk.buffers()[1], dtype="<i4")[chunk.offset : chunk.offset + len(chunk) + 1]
    data = chunk.buffers()[2]
    return bytes(memoryview(data)[offsets[0] : offsets[-1]]) if data is not None and len(chunk) else b""
