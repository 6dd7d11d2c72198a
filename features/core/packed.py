"""One entity's values as a few bytes, exact to the bit, that say themselves how they are read.

A value is: the format's number (1 byte); how many features (2); the kind of each (1 each: q integer, d number, ? truth,
s text); the time of the entity's newest row in microseconds (8); a bit for each feature that is missing; then the
features in their order, little-endian: 8 bytes, 1 for a truth, and for a text its length in 4 bytes. The texts follow
in UTF-8. What is missing is zeros; NaN, an infinity and -0.0 are numbers like others.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from features.ground.late import LateMapping, pa, pc

FORMAT = 1
HEADER = 3
KINDS: Mapping[pa.DataType, tuple[str, str]] = LateMapping(
    lambda: {
        pa.int64(): ("q", "<i8"),
        pa.float64(): ("d", "<f8"),
        pa.bool_(): ("?", "u1"),
        pa.string(): ("s", "<u4"),
    }
)
Bytes = npt.NDArray[np.uint8]


class PackedFormatError(ValueError):
    """The bytes are of a format this code doesn't know."""


def pack(values: pa.Table, event_us: pa.ChunkedArray) -> list[bytes]:
    """Return each row as bytes.

    Parameters
    ----------
    values : pyarrow.Table of n rows
        The features: integers and numbers of 64 bits, truths, texts; null is missing.
    event_us : pyarrow.ChunkedArray of length n
        Time of each entity's newest row, in microseconds since 1970.

    Returns
    -------
    list of bytes
        One for each row.
    """
    columns = [column.combine_chunks() for column in values.columns]
    kinds = [KINDS[column.type] for column in columns]
    head = bytes([FORMAT]) + len(kinds).to_bytes(2, "little") + "".join(kind for kind, _ in kinds).encode()
    rows = values.num_rows
    parts = [
        np.broadcast_to(np.frombuffer(head, np.uint8), (rows, len(head))),
        _as_bytes(event_us.to_numpy().astype("<i8")),
        _missing_bits(columns, rows),
        *(_as_bytes(_fixed(column, dtype)) for column, (_, dtype) in zip(columns, kinds, strict=True)),
    ]
    fixed = np.ascontiguousarray(np.hstack(parts))
    texts = [column for column in columns if pa.types.is_string(column.type)]
    blob, width = fixed.tobytes(), fixed.shape[1]
    if not texts:
        return [blob[start : start + width] for start in range(0, len(blob), width)]
    first = pa.Array.from_buffers(pa.binary(width), rows, [None, pa.py_buffer(blob)]).cast(pa.binary())
    whole = [pc.fill_null(text, "").cast(pa.binary()) for text in texts]
    joined: list[bytes] = pc.binary_join_element_wise(first, *whole, b"").to_pylist()
    return joined


def _fixed(column: pa.Array, dtype: str) -> npt.NDArray[Any]:
    if pa.types.is_string(column.type):
        column = pc.fill_null(pc.binary_length(column), 0)
    elif pa.types.is_boolean(column.type):
        column = pc.fill_null(column, False).cast(pa.uint8())
    else:
        column = pc.fill_null(column, pa.scalar(0, column.type))
    return np.ascontiguousarray(column.to_numpy(zero_copy_only=False).astype(dtype, copy=False))


def _as_bytes(values: npt.NDArray[Any]) -> Bytes:
    return np.ascontiguousarray(values).view(np.uint8).reshape(len(values), values.dtype.itemsize)


def _missing_bits(columns: list[pa.Array], rows: int) -> Bytes:
    missing = np.zeros((rows, len(columns)), bool)
    for place, column in enumerate(columns):
        if column.null_count:
            missing[:, place] = pc.is_null(column).to_numpy(zero_copy_only=False)
    return np.packbits(missing, axis=1, bitorder="little")


def unpack(blob: bytes) -> tuple[int, tuple[Any, ...]]:
    """Return what `pack` was given for one row.

    Parameters
    ----------
    blob : bytes
        What `pack` returned.

    Returns
    -------
    int
        Time of the entity's newest row, in microseconds since 1970.
    tuple
        The features in their order; None is missing.

    Raises
    ------
    PackedFormatError
        If the bytes are of another format.
    """
    end = HEADER + blob[1] + (blob[2] << 8)
    read, texts, whole = _reader(blob[:end])
    event_us, missing, *values = read(blob, end)
    if texts:
        _read_texts(blob, len(blob), texts, values)
    if missing != whole:
        bits = int.from_bytes(missing, "little")
        values = [None if bits >> place & 1 else value for place, value in enumerate(values)]
    return event_us, tuple(values)


def _read_texts(blob: bytes, end: int, texts: tuple[int, ...], values: list[Any]) -> None:
    start = end - sum(values[place] for place in texts)
    for place in texts:
        stop = start + values[place]
        values[place] = blob[start:stop].decode()
        start = stop


@lru_cache(maxsize=1024)
def _reader(head: bytes) -> tuple[Callable[[bytes, int], tuple[Any, ...]], tuple[int, ...], bytes]:
    """Return how the fixed part is read, which of the features are texts, and the bits where none is missing."""
    if head[0] != FORMAT:
        raise PackedFormatError(f"packed values of format {FORMAT} are known; got {head[0]}")
    kinds = head[HEADER:].decode("ascii")
    bits = (len(kinds) + 7) // 8
    fixed = struct.Struct(f"<q{bits}s" + kinds.replace("s", "I"))
    return fixed.unpack_from, tuple(place for place, kind in enumerate(kinds) if kind == "s"), bytes(bits)
