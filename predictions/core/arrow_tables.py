"""Arrow streams and Parquet files: what is in them, looked at before it is unpacked."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from flatbuffers import number_types
from flatbuffers.table import Table as FlatTable

from features.ground.errors import bounded
from features.ground.late import pa, pq
from predictions.core.answer import PredictAnswer
from predictions.core.tables import Column, Table
from predictions.errors import BodyTooLargeError, InvalidRequestError, TooManyRowsError

# Places of fields in the tables of Arrow's messages (format/Message.fbs): 4 + 2 × the field's number.
_HEADER_TYPE, _HEADER, _DICTIONARY_DATA, _COMPRESSION = 6, 8, 6, 10
_RECORD_BATCH = 3
_DICTIONARY_BATCH = 2


def parse_arrow(body: bytes, *, max_rows: int) -> Table:
    """Return the rows of an Arrow IPC stream.

    Parameters
    ----------
    body : bytes
        The stream; its buffers uncompressed.
    max_rows : int
        Rows one request may hold.

    Returns
    -------
    Table
        Columns by name; one column of lists of a fixed size holds all columns, in the model's order.

    Raises
    ------
    InvalidRequestError
        If it is no such stream, is damaged, or holds a type no model takes.
    TooManyRowsError
        If there are more rows.
    """
    try:
        _refuse_compressed(body)
        with pa.ipc.open_stream(pa.py_buffer(body)) as stream:
            batches, rows = [], 0
            for batch in stream:
                if (rows := rows + batch.num_rows) > max_rows:
                    raise _too_many(rows, max_rows)
                # Offsets that point elsewhere would be read later, and end the process.
                batch.validate(full=True)
                batches.append(batch)
            return _table(pa.Table.from_batches(batches, stream.schema), lenient=False)
    except (pa.ArrowException, ValueError, OSError) as error:
        raise InvalidRequestError(f"the body is no Arrow stream: {bounded(str(error), 200)}") from None


def parse_parquet(body: bytes, *, max_rows: int, max_bytes: int) -> Table:
    """Return the rows of a Parquet file; columns the model does not take are ignored.

    Parameters
    ----------
    body : bytes
        The file.
    max_rows : int
        Rows one request may hold.
    max_bytes : int
        Bytes its pages may unpack to.

    Returns
    -------
    Table
        Columns by name.

    Raises
    ------
    InvalidRequestError
        If it is no such file, is damaged, or holds a type no model takes.
    TooManyRowsError
        If there are more rows.
    BodyTooLargeError
        If it unpacks to more.
    """
    try:
        file = pq.ParquetFile(io.BytesIO(body))
        found = file.metadata
        if found.num_rows > max_rows:
            raise _too_many(found.num_rows, max_rows)
        groups = [found.row_group(index) for index in range(found.num_row_groups)]
        size = sum(
            group.column(place).total_uncompressed_size for group in groups for place in range(group.num_columns)
        )
        if size > max_bytes:
            raise BodyTooLargeError(f"Request body is too large: it unpacks to {size} bytes", limit=max_bytes, got=size)
        table = file.read(use_threads=False)
        table.validate(full=True)
        return _table(table, lenient=True)
    except (pa.ArrowException, ValueError, OSError) as error:
        raise InvalidRequestError(f"the body is no Parquet file: {bounded(str(error), 200)}") from None


def _too_many(rows: int, limit: int) -> TooManyRowsError:
    return TooManyRowsError(f"{rows} rows are too many: one request may hold {limit}", limit=limit, got=rows)


def _refuse_compressed(body: bytes) -> None:
    """Refuse buffers that are compressed: how large they become is known only when they are."""
    for message in pa.ipc.MessageReader.open_stream(pa.py_buffer(body)):
        metadata = message.metadata.to_pybytes()
        root = FlatTable(metadata, int.from_bytes(metadata[:4], "little"))
        kind = _field(root, _HEADER_TYPE)
        header = _field(root, _HEADER)
        if not kind or not header:
            continue
        held = FlatTable(metadata, root.Indirect(header + root.Pos))
        if root.Get(number_types.Uint8Flags, kind + root.Pos) == _DICTIONARY_BATCH and (
            data := _field(held, _DICTIONARY_DATA)
        ):
            held = FlatTable(metadata, held.Indirect(data + held.Pos))
        elif root.Get(number_types.Uint8Flags, kind + root.Pos) != _RECORD_BATCH:
            continue
        if _field(held, _COMPRESSION):
            raise InvalidRequestError("compressed Arrow buffers are not taken: compress the whole body with gzip")


def _field(table: Any, place: int) -> int:
    return int(table.Offset(place))


def _table(table: pa.Table, *, lenient: bool) -> Table:
    if table.num_columns == 1 and pa.types.is_fixed_size_list(table.schema.types[0]):
        return _matrix(table)
    return Table(
        names=table.column_names,
        columns=[_column(name, table.column(place)) for place, name in enumerate(table.column_names)],
        lenient=lenient,
    )


def _matrix(table: pa.Table) -> Table:
    column, width = table.column(0), table.schema.types[0].list_size
    cells = _column(
        table.column_names[0], pa.chunked_array([part.flatten() for part in column.chunks], column.type.value_type)
    )
    if len(cells) != len(column) * width:
        raise InvalidRequestError("a row is missing: the lists must not be null")
    if isinstance(cells, np.ndarray) and cells.dtype.kind in "fiu":
        return Table(matrix=cells.reshape(-1, width))
    return Table(columns=[cells[place::width] for place in range(width)])


def _column(name: str, column: pa.ChunkedArray) -> Column:
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _column(name, column.cast(kind.value_type))
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or (pa.types.is_boolean(kind) and not column.null_count):
        return np.asarray(column.to_numpy())
    texts = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    if texts or pa.types.is_boolean(kind) or pa.types.is_null(kind):
        return list(column.to_pylist())
    raise InvalidRequestError(
        f"column {bounded(name, 60)}: must be a number, boolean or text; got {bounded(str(kind), 60)}"
    )


def arrow_answer(answer: PredictAnswer) -> bytes:
    """Return an answer as an Arrow IPC stream.

    Parameters
    ----------
    answer : PredictAnswer
        What the model said.

    Returns
    -------
    bytes
        Columns predictions and, for a classifier, probabilities; who answered stands in the schema's metadata.
    """
    shares = None if answer.probabilities is None else np.array(answer.probabilities, dtype=np.float64)
    return arrow_stream(answer.predictions, shares, answer.about())


def arrow_stream(predictions: list[Any], shares: npt.NDArray[np.float64] | None, about: Mapping[str, Any]) -> bytes:
    """Return predictions as an Arrow IPC stream; see `arrow_answer`.

    Parameters
    ----------
    predictions : list
        One label or value per row.
    shares : ndarray of shape (n_rows, n_classes), optional
        One share per class and row; None for a regression.
    about : mapping
        Who answered.

    Returns
    -------
    bytes
        The stream.
    """
    columns: dict[str, pa.Array] = {"predictions": pa.array(predictions)}
    if shares is not None:
        columns["probabilities"] = pa.FixedSizeListArray.from_arrays(pa.array(shares.ravel()), shares.shape[1])
    table = pa.table(columns).replace_schema_metadata({key: str(value) for key, value in about.items()})
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return sink.getvalue()
