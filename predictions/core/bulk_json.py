"""Many rows of numbers, read from JSON text into a matrix without an object for each number."""

from typing import Any

import numpy as np
import numpy.typing as npt
import simdjson

# A shorter text is read as soon by the reader that makes objects.
LONG = 4_096
_BRACKET = ord("[")


# Readers nobody uses just now. Each keeps its memory, so there are no more than have been used at one time.
_idle: list[simdjson.Parser] = []


def read_matrix(body: bytes, width: int) -> npt.NDArray[np.float64] | None:
    """Return the numbers of `{"data": [[…], …]}` where it is nothing but rows of so many numbers; else None.

    Parameters
    ----------
    body : bytes
        JSON text.
    width : int
        Numbers in a row.

    Returns
    -------
    ndarray of shape (n_rows, width) or None
        Read-only; None for anything else, also for text that is no JSON: another reader says what is wrong with it.
    """
    if not body.startswith(b"{"):
        return None
    try:
        parser = _idle.pop()
    except IndexError:
        parser = simdjson.Parser()
    try:
        found = _matrix(parser, body, width)
    except (ValueError, TypeError, KeyError, RuntimeError):
        # What went wrong may hold on to the reader's memory: it goes with it.
        return None
    _idle.append(parser)
    return found


def _matrix(parser: simdjson.Parser, body: bytes, width: int) -> npt.NDArray[np.float64] | None:
    document: Any = parser.parse(body)
    # A key that is there twice counts twice.
    if len(document) != 1:
        return None
    rows = document["data"]
    if set(map(len, rows)) != {width}:
        return None
    # Lists in rows would be taken for more numbers of theirs; objects, texts, booleans and null are refused.
    if np.count_nonzero(np.frombuffer(body, np.uint8) == _BRACKET) != len(rows) + 1:
        return None
    return np.frombuffer(rows.as_buffer(of_type="d"), np.float64).reshape(len(rows), width)
