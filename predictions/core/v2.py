"""The Open Inference Protocol, version 2: what an infer request says."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from features.ground.errors import bounded
from predictions.core.parse import read_json
from predictions.core.tables import Column, Table
from predictions.core.tensors import DATATYPES, MAX_DIMENSIONS, from_binary, from_json
from predictions.errors import InvalidRequestError

OUTPUTS = ("predictions", "probabilities")
MAX_ID = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """An output a client wants: as raw bytes or in JSON, and if `classes` is set as its most probable classes."""

    name: str
    binary: bool
    classes: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class InferRequest:
    """A parsed infer request; no wishes means all outputs."""

    table: Table
    id: str | None = None
    wishes: tuple[Wish, ...] = ()
    binary: bool = False


def parse_infer(body: bytes, header_length: int | None, *, max_depth: int) -> InferRequest:
    """Return what an infer request asks.

    Parameters
    ----------
    body : bytes
        The whole body: JSON, and after it the raw tensors.
    header_length : int, optional
        Bytes of JSON at its beginning; None if all is JSON, 0 if all is one raw tensor.
    max_depth : int
        How deep lists and objects may nest.

    Returns
    -------
    InferRequest
        Columns by name, or in the model's order where one tensor holds them all.

    Raises
    ------
    InvalidRequestError
        If the request is malformed; the message names the tensor.
    """
    if header_length == 0:
        return _raw(body)
    length = len(body) if header_length is None else header_length
    if length > len(body):
        raise InvalidRequestError(f"the JSON header is said to be {length} bytes; the body has {len(body)}")
    value = read_json(body[:length], max_depth=max_depth)
    if not isinstance(value, Mapping):
        raise InvalidRequestError("the body must be an object with inputs")
    return infer_request(value, body[length:])


def infer_request(value: Mapping[str, Any], raw: bytes) -> InferRequest:
    """Return what an infer request asks, whichever wire it came over.

    Parameters
    ----------
    value : mapping
        The request in the form of its JSON.
    raw : bytes
        The raw tensors, one after the other, in the order of the inputs that have a binary_data_size.

    Returns
    -------
    InferRequest
        Columns by name, or in the model's order where one tensor holds them all.

    Raises
    ------
    InvalidRequestError
        If the request is malformed; the message names the tensor.
    """
    parameters = _parameters(value, "the request")
    binary = _flag(parameters, "binary_data_output", default=False)
    return InferRequest(
        id=_id(value.get("id")),
        table=_table(_tensors(value.get("inputs"), raw)),
        wishes=_wishes(value.get("outputs") or [], binary),
        binary=binary,
    )


def _raw(body: bytes) -> InferRequest:
    if not body or len(body) % 8:
        raise InvalidRequestError(
            f"a body that is one raw tensor holds one row of FP64 in the model's order; got {len(body)} bytes"
        )
    row = np.frombuffer(body, dtype="<f8")
    return InferRequest(table=Table(columns=[row[place : place + 1] for place in range(len(row))]), binary=True)


def _id(value: Any) -> str | None:
    if value is not None and (not isinstance(value, str) or len(value) > MAX_ID):
        raise InvalidRequestError(f"id must be a text of at most {MAX_ID} characters; got {bounded(value, 60)}")
    return value


def _objects(value: Any, what: str) -> list[Mapping[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(item, Mapping) for item in value):
        raise InvalidRequestError(f"{what} must be a list of objects; got {bounded(value, 60)}")
    return value


def _parameters(value: Mapping[str, Any], what: str) -> Mapping[str, Any]:
    parameters = value.get("parameters")
    if parameters is not None and not isinstance(parameters, Mapping):
        raise InvalidRequestError(f"{what}: parameters must be an object; got {bounded(parameters, 60)}")
    return parameters or {}


def _flag(parameters: Mapping[str, Any], name: str, *, default: bool) -> bool:
    value = parameters.get(name, default)
    if not isinstance(value, bool):
        raise InvalidRequestError(f"parameter {name} must be true or false; got {bounded(value, 60)}")
    return value


def _whole(value: Any, what: str, least: int = 0) -> int:
    if type(value) is not int or value < least:
        raise InvalidRequestError(f"{what} must be a whole number of at least {least}; got {bounded(value, 60)}")
    return value


def _wishes(outputs: Any, binary: bool) -> tuple[Wish, ...]:
    wishes: dict[str, Wish] = {}
    for item in _objects(outputs, "outputs"):
        wish = _wish(item, binary)
        # An answer may be larger than its request, but not by as much as one likes.
        if wish.name in wishes:
            raise InvalidRequestError(f"output {wish.name} is asked for twice", output=wish.name)
        wishes[wish.name] = wish
    return tuple(wishes.values())


def _wish(wish: Mapping[str, Any], binary: bool) -> Wish:
    name = wish.get("name")
    if name not in OUTPUTS:
        raise InvalidRequestError(f"outputs may be {', '.join(OUTPUTS)}; got {bounded(name, 60)}")
    parameters = _parameters(wish, f"output {name}")
    classes = parameters.get("classification", 0)
    return Wish(
        name=str(name),
        binary=_flag(parameters, "binary_data", default=binary),
        classes=_whole(classes, "parameter classification") if classes else 0,
    )


def _tensors(inputs: Any, raw: bytes) -> list[tuple[str, list[int], Column]]:
    tensors, place = [], 0
    for tensor in _objects(inputs, "inputs"):
        name, shape, datatype = tensor_head(tensor)
        size = _parameters(tensor, f"input {name}").get("binary_data_size")
        if (size is None) == ("data" not in tensor):
            raise InvalidRequestError(f"input {name}: give either data or the parameter binary_data_size", input=name)
        if size is None:
            tensors.append((name, shape, from_json(name, datatype, shape, tensor["data"])))
            continue
        stop = place + _whole(size, f"input {name}: binary_data_size")
        if stop > len(raw):
            raise InvalidRequestError(
                f"input {name}: its {bounded(size, 40)} bytes go beyond the body; "
                "is Inference-Header-Content-Length set?",
                input=name,
            )
        tensors.append((name, shape, from_binary(name, datatype, shape, raw[place:stop])))
        place = stop
    if place != len(raw):
        raise InvalidRequestError(f"{len(raw) - place} bytes follow the last tensor")
    return tensors


def tensor_head(tensor: Mapping[str, Any]) -> tuple[str, list[int], str]:
    """Return what a tensor says of itself.

    Parameters
    ----------
    tensor : mapping
        An input in the form of its JSON.

    Returns
    -------
    tuple of str, list of int and str
        Name, shape and datatype.

    Raises
    ------
    InvalidRequestError
        If one of them can't be used.
    """
    name, shape, datatype = tensor.get("name"), tensor.get("shape"), tensor.get("datatype")
    if not isinstance(name, str) or not name:
        raise InvalidRequestError(f"each input needs a name; got {bounded(name, 60)}")
    shown = bounded(name, 60)
    if not isinstance(shape, list) or not 1 <= len(shape) <= MAX_DIMENSIONS:
        raise InvalidRequestError(f"input {shown}: shape must be a list of 1 to {MAX_DIMENSIONS} sizes", input=shown)
    for size in shape:
        _whole(size, f"input {shown}: a size in shape")
    if datatype not in DATATYPES:
        raise InvalidRequestError(
            f"input {shown}: datatype must be one of {', '.join(DATATYPES)}; got {bounded(datatype, 60)}", input=shown
        )
    return name, shape, str(datatype)


def _table(tensors: list[tuple[str, list[int], Column]]) -> Table:
    if not tensors:
        raise InvalidRequestError("inputs is empty; give one tensor per column, or one of shape [rows, columns]")
    if len(tensors) == 1 and len(tensors[0][1]) == 2 and tensors[0][1][1] > 1:
        cells, width = tensors[0][2], tensors[0][1][1]
        return Table(columns=[cells[place::width] for place in range(width)])
    for name, shape, _ in tensors:
        if shape[1:] not in ([], [1]):
            raise InvalidRequestError(
                f"input {bounded(name, 60)}: shape must be [rows] or [rows, 1], or one tensor holds all columns; "
                f"got {bounded(shape, 60)}",
                input=bounded(name, 60),
            )
    return Table(names=[name for name, _, _ in tensors], columns=[cells for _, _, cells in tensors])
