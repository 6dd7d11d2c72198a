"""Strict JSON: a fast reader for good bodies, and a slow one that says what is wrong with the others."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import orjson

from features.ground.errors import bounded
from predictions.errors import InvalidRequestError

FORMS = ("data", "records", "entities")
# A double has no integer of more digits; a longer one is refused before Python spends time on it.
MAX_DIGITS = 309
_NAN = float("nan")
_NESTS = (dict, list)
_BRACKETS = re.compile(rb'"(?:[^"\\]|\\.)*"?|[\[\]{}]', re.DOTALL)


# Not frozen: one is made for each request, and a frozen one takes three times as long to make.
@dataclass(kw_only=True, slots=True)
class Payload:
    """What a predict request asks about; exactly one of the three is given."""

    rows: list[Any] | None = None
    records: list[Any] | None = None
    entities: list[Any] | None = None


def parse_payload(body: bytes, *, max_depth: int) -> Payload:
    """Return the rows, records or entities of a predict request.

    Parameters
    ----------
    body : bytes
        The request's JSON text, UTF-8.
    max_depth : int
        How deep lists and objects may nest.

    Returns
    -------
    Payload
        The one form that was given; its items are not checked yet. NaN stands for a literal NaN.

    Raises
    ------
    InvalidRequestError
        If the text is not the JSON of exactly one form, or holds a value JSON can't carry.
    """
    return payload_of(read_json(body, max_depth=max_depth))


def read_json(body: bytes, *, max_depth: int) -> Any:
    """Return the value of a JSON text as `parse_json` does, and faster where nothing is unusual.

    Parameters
    ----------
    body : bytes
        JSON text, UTF-8.
    max_depth : int
        How deep lists and objects may nest, looked at where the fast reader does not get through.

    Returns
    -------
    Any
        Plain lists, dicts, text, numbers, booleans and None.

    Raises
    ------
    InvalidRequestError
        As `parse_json`.
    """
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return parse_json(body, max_depth=max_depth)
    # The fast reader keeps the last of equal keys; as many colons as keys means that there were none.
    if type(value) is dict and ((colons := body.count(b":")) == len(value) == 1 or colons == _keys(value)):
        return value
    return parse_json(body, max_depth=max_depth)


def _keys(value: Any) -> int:
    if type(value) is dict:
        return len(value) + sum(_keys(item) for item in value.values() if type(item) in _NESTS)
    # Objects inside lists of lists make the counts differ, which only sends the text to the slow reader.
    return sum(_keys(item) for item in value if type(item) is dict)


def payload_of(value: Any) -> Payload:
    """Return the rows, records or entities a parsed request holds.

    Parameters
    ----------
    value : Any
        What the JSON text said.

    Returns
    -------
    Payload
        The one form that was given; its items are not checked yet.

    Raises
    ------
    InvalidRequestError
        If it is no object, holds other keys, or not exactly one form with a list.
    """
    if type(value) is dict and len(value) == 1 and type(rows := value.get("data")) is list and rows:
        return Payload(rows=rows)
    allowed = "exactly one of data, records, entities"
    if not isinstance(value, Mapping):
        raise InvalidRequestError(f"the body must be an object with {allowed}; got {_kind(value)}")
    if unknown := [key for key in value if key not in FORMS]:
        names = ", ".join(bounded(key, 40) for key in unknown[:5])
        raise InvalidRequestError(
            f"unknown key {names}; allowed is {allowed}", unknown=[bounded(key, 40) for key in unknown[:5]]
        )
    if len(value) != 1:
        raise InvalidRequestError(f"give {allowed}; got {', '.join(value) or 'none'}")
    form, items = next(iter(value.items()))
    if not isinstance(items, list):
        raise InvalidRequestError(f"{form} must be a list; got {_kind(items)}", key=form)
    if not items:
        raise InvalidRequestError(f"{form} is empty; give at least one", key=form)
    if form == "data":
        return Payload(rows=items)
    return Payload(records=items) if form == "records" else Payload(entities=items)


def parse_json(body: bytes, *, max_depth: int, allow_nan: bool = True) -> Any:
    """Return the value of a JSON text, refusing what other readers let through or fall over.

    Parameters
    ----------
    body : bytes
        JSON text, UTF-8 without a byte order mark.
    max_depth : int
        How deep lists and objects may nest.
    allow_nan : bool, default True
        Whether a literal NaN is a value (missing).

    Returns
    -------
    Any
        Plain lists, dicts, text, numbers, booleans and None.

    Raises
    ------
    InvalidRequestError
        If it is malformed, too deep, names a key twice, or holds a number or text out of range.
    """
    if body.startswith(b"\xef\xbb\xbf"):
        raise InvalidRequestError("the body starts with a byte order mark; send UTF-8 without one")
    if not body.strip():
        raise InvalidRequestError("the body is empty; send a JSON object")
    _check_depth(body, max_depth)
    try:
        value = json.loads(
            body.decode(),
            object_pairs_hook=_object,
            parse_constant=_nan if allow_nan else _no_constant,
            parse_float=_float,
            parse_int=_integer,
        )
    except UnicodeDecodeError as error:
        raise InvalidRequestError(f"the body is not UTF-8 at byte {error.start}", byte=error.start) from None
    except json.JSONDecodeError as error:
        raise InvalidRequestError(
            f"the body is not JSON: {error.msg} at line {error.lineno} column {error.colno}",
            line=error.lineno,
            column=error.colno,
        ) from None
    if b"\\u" in body:
        _check_text(value)
    return value


def _check_depth(body: bytes, max_depth: int) -> None:
    depth = 0
    for match in _BRACKETS.finditer(body):
        symbol = body[match.start()]
        if symbol in b"[{":
            depth += 1
            if depth > max_depth:
                raise InvalidRequestError(
                    f"lists and objects nest too deep: at most {max_depth} levels are allowed", limit=max_depth
                )
        elif symbol in b"]}":
            depth -= 1


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise InvalidRequestError(f"key {bounded(_shown(key), 60)} is given twice", key=bounded(_shown(key), 60))
        found[key] = value
    return found


def _nan(name: str) -> float:
    return _NAN if name == "NaN" else _no_constant(name)


def _no_constant(name: str) -> NoReturn:
    raise InvalidRequestError(f"{name} is not a number JSON knows; send a finite number or null", got=name)


def _float(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise InvalidRequestError(f"number {bounded(text, 40)} is out of range of a double", got=bounded(text, 40))
    return value


def _integer(text: str) -> int:
    if len(text.lstrip("-")) > MAX_DIGITS:
        shown = f"{text[:20]}… ({len(text)} digits)"
        raise InvalidRequestError(f"number {shown} is out of range of a double", got=shown)
    return int(text)


def _check_text(value: Any) -> None:
    if isinstance(value, str):
        if not value.isascii() and any("\ud800" <= letter <= "\udfff" for letter in value):
            raise InvalidRequestError("a text holds half of a surrogate pair, which is no character", got=_shown(value))
    elif isinstance(value, list):
        for item in value:
            _check_text(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            _check_text(key)
            _check_text(item)


def _shown(text: str) -> str:
    return bounded(text.encode("utf-8", "backslashreplace").decode(), 60)


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")
