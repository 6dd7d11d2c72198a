"""What an ONNX file says of its nodes, read from its bytes: the library that does it whole takes a worker's memory.

The numbers of fields are those of onnx.proto; what is not asked for is passed over.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_VARINT, _DOUBLE, _BYTES, _FLOAT = 0, 1, 2, 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Node:
    """One step of a graph; attributes by name as lists of numbers or bytes, or single ones."""

    kind: str
    inputs: list[str]
    outputs: list[str]
    attributes: dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Graph:
    """The steps of a graph in order, its inputs with the numbers of their types, its outputs."""

    nodes: list[Node]
    inputs: dict[str, int]
    outputs: list[str]
    has_constants: bool


def read_graph(blob: bytes) -> Graph:
    """Return what a graph is made of.

    Parameters
    ----------
    blob : bytes
        An ONNX file.

    Returns
    -------
    Graph
        Its steps.

    Raises
    ------
    ValueError
        If the bytes are not such a file.
    """
    try:
        graph = next(value for field, value in _fields(blob) if field == 7)
        parts = list(_fields(graph))
        inputs = [dict(_fields(value)) for field, value in parts if field == 11]
        return Graph(
            nodes=[_node(value) for field, value in parts if field == 1],
            inputs={found[1].decode(): _element_type(found[2]) for found in inputs},
            outputs=[dict(_fields(value))[1].decode() for field, value in parts if field == 12],
            has_constants=any(field in (5, 15) for field, _ in parts),
        )
    except (IndexError, KeyError, StopIteration, struct.error, UnicodeDecodeError, AttributeError, TypeError) as error:
        raise ValueError("not an ONNX graph") from error


def _element_type(kind: bytes) -> int:
    tensor = dict(_fields(dict(_fields(kind))[1]))
    return int(tensor[1])


def _node(data: bytes) -> Node:
    parts = list(_fields(data))
    return Node(
        kind=next(value for field, value in parts if field == 4).decode(),
        inputs=[value.decode() for field, value in parts if field == 1],
        outputs=[value.decode() for field, value in parts if field == 2],
        attributes=dict(_attribute(value) for field, value in parts if field == 5),
    )


def _attribute(data: bytes) -> tuple[str, Any]:
    name, value, many = "", None, list[Any]()
    for field, found in _fields(data):
        if field == 1:
            name = found.decode()
        elif field in (2, 3, 4):
            value = found
        elif field == 7:
            many += [found] if isinstance(found, float) else struct.unpack(f"<{len(found) // 4}f", found)
        elif field == 8:
            many += [found] if isinstance(found, int) else _varints(found)
        elif field == 9:
            many.append(found)
    return name, many or value


def _varints(data: bytes) -> Iterator[int]:
    at = 0
    while at < len(data):
        value, at = _varint(data, at)
        yield value


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            # Negative numbers are written as the 64 bits of their complement.
            return (value - (1 << 64) if value >> 63 else value), at


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        kind = tag & 7
        value: Any
        if kind == _VARINT:
            value, at = _varint(data, at)
        elif kind == _BYTES:
            length, at = _varint(data, at)
            value, at = data[at : at + length], at + length
        elif kind == _FLOAT:
            value, at = struct.unpack_from("<f", data, at)[0], at + 4
        elif kind == _DOUBLE:
            value, at = struct.unpack_from("<d", data, at)[0], at + 8
        else:
            raise ValueError("not an ONNX graph")
        yield tag >> 3, value
