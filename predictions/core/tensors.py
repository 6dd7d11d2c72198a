"""Tensors of the Open Inference Protocol: flat or nested in JSON, or raw bytes."""

import struct
from collections.abc import Sequence
from itertools import chain
from math import prod
from typing import Any

import numpy as np

from features.ground.errors import bounded
from predictions.core.tables import Column
from predictions.errors import InvalidRequestError

NUMPY: dict[str, np.dtype[Any]] = {
    "BOOL": np.dtype("?"),
    **{
        f"{sign}INT{bits}": np.dtype(f"<{sign[:1].lower() or 'i'}{bits // 8}")
        for sign in ("", "U")
        for bits in (8, 16, 32, 64)
    },
    "FP16": np.dtype("<f2"),
    "FP32": np.dtype("<f4"),
    "FP64": np.dtype("<f8"),
}
# Half precision has no JSON form in the protocol, and BF16 none in numpy.
BINARY_ONLY = ("FP16", "BF16")
DATATYPES = (*NUMPY, "BF16", "BYTES")
MAX_DIMENSIONS = 8
_CELLS: dict[str, frozenset[type]] = {"b": frozenset((bool,)), "f": frozenset((int, float, bool, type(None)))}
_TEXTS = frozenset((str, type(None)))


def datatype_of(classes: Sequence[Any]) -> str:
    """Return the datatype of predictions.

    Parameters
    ----------
    classes : sequence
        The labels a model answers; none for a regression.

    Returns
    -------
    str
        BOOL, INT64, FP64 or BYTES.
    """
    kinds = {type(label) for label in classes}
    if not kinds or (kinds <= {int, float} and float in kinds):
        return "FP64"
    return {bool: "BOOL", int: "INT64"}.get(next(iter(kinds)), "BYTES") if len(kinds) == 1 else "BYTES"


def from_json(name: str, datatype: str, shape: Sequence[int], data: Any) -> Column:
    """Return the cells of a tensor in JSON, row by row.

    Parameters
    ----------
    name : str
        The tensor's name, for messages.
    datatype : str
        One of the protocol.
    shape : sequence of int
        Its shape, which the cells must fill.
    data : Any
        A list of cells, or nested lists of that shape; null and NaN are missing.

    Returns
    -------
    list
        As many cells as the shape has places.

    Raises
    ------
    InvalidRequestError
        If the data is not of that datatype and shape.
    """
    if datatype in BINARY_ONLY:
        raise InvalidRequestError(f"input {name}: {datatype} has no JSON form; send it as binary data", input=name)
    if not isinstance(data, list):
        raise InvalidRequestError(f"input {name}: data must be a list; got {bounded(data, 60)}", input=name)
    cells = _nested(name, shape, data) if data and isinstance(data[0], list) else data
    if len(cells) != prod(shape):
        raise InvalidRequestError(
            f"input {name}: shape {bounded(list(shape), 60)} has {bounded(prod(shape), 40)} places; "
            f"got {len(cells)} values",
            input=name,
        )
    allowed = _TEXTS if datatype == "BYTES" else _CELLS.get(NUMPY[datatype].kind, frozenset((int,)))
    if not allowed.issuperset(map(type, cells)) or not _fits(datatype, cells):
        odd = next(cell for cell in cells if type(cell) not in allowed or not _fits(datatype, [cell]))
        raise InvalidRequestError(
            f"input {name}: {bounded(odd, 60)} is no {datatype}", input=name, got=bounded(odd, 60)
        )
    return cells


def _fits(datatype: str, cells: list[Any]) -> bool:
    dtype = NUMPY.get(datatype)
    if dtype is None or dtype.kind not in "iu" or not cells:
        return True
    limits = np.iinfo(dtype)
    return bool(limits.min <= min(cells) and max(cells) <= limits.max)


def _nested(name: str, shape: Sequence[int], data: list[Any]) -> list[Any]:
    cells: list[Any] = [data]
    for size in shape:
        if not all(isinstance(item, list) and len(item) == size for item in cells):
            raise InvalidRequestError(
                f"input {name}: the nested lists of data are not of shape {bounded(list(shape), 60)}", input=name
            )
        cells = list(chain.from_iterable(cells))
    return cells


def from_binary(name: str, datatype: str, shape: Sequence[int], raw: bytes) -> Column:
    """Return the cells of a raw tensor: little-endian, row-major, without padding.

    Parameters
    ----------
    name : str
        The tensor's name, for messages.
    datatype : str
        One of the protocol.
    shape : sequence of int
        Its shape.
    raw : bytes
        Its bytes; each text has its length before it, in four bytes.

    Returns
    -------
    ndarray or list of str
        As many cells as the shape has places.

    Raises
    ------
    InvalidRequestError
        If the bytes are not just as many as datatype and shape need, or no UTF-8 text.
    """
    count = prod(shape)
    if datatype == "BYTES":
        return _texts(name, count, raw)
    dtype = np.dtype("<u2") if datatype == "BF16" else NUMPY[datatype]
    if len(raw) != count * dtype.itemsize:
        raise InvalidRequestError(
            f"input {name}: {datatype} of shape {bounded(list(shape), 60)} is "
            f"{bounded(count * dtype.itemsize, 40)} bytes; got {len(raw)}",
            input=name,
        )
    values = np.frombuffer(raw, dtype=dtype)
    if datatype == "BF16":
        return (values.astype("<u4") << 16).view("<f4")
    if datatype == "BOOL" and (values.view(np.uint8) > 1).any():
        raise InvalidRequestError(f"input {name}: a BOOL is one byte, 0 or 1", input=name)
    return values


def _texts(name: str, count: int, raw: bytes) -> list[Any]:
    texts: list[Any] = []
    place = 0
    while place < len(raw) and len(texts) < count:
        start = place + 4
        place = start + struct.unpack_from("<I", raw, place)[0] if start <= len(raw) else len(raw) + 1
        if place > len(raw):
            raise InvalidRequestError(f"input {name}: text {len(texts)} is longer than the tensor", input=name)
        try:
            texts.append(raw[start:place].decode())
        except UnicodeDecodeError:
            raise InvalidRequestError(f"input {name}: text {len(texts)} is not UTF-8", input=name) from None
    if place != len(raw) or len(texts) != count:
        raise InvalidRequestError(
            f"input {name}: the shape has {bounded(count, 40)} places; the tensor holds {len(texts)} texts"
            + (f" and {len(raw) - place} bytes more" if place < len(raw) else ""),
            input=name,
        )
    return texts


def to_binary(datatype: str, cells: Sequence[Any]) -> bytes:
    """Return the raw bytes of cells in row order.

    Parameters
    ----------
    datatype : str
        BOOL, INT64, FP64 or BYTES.
    cells : sequence
        One value per place of the tensor.

    Returns
    -------
    bytes
        Little-endian, without padding.
    """
    if datatype != "BYTES":
        return bytes(np.asarray(cells, dtype=NUMPY[datatype]).tobytes())
    texts = [str(cell).encode() for cell in cells]
    return b"".join(struct.pack("<I", len(text)) + text for text in texts)
