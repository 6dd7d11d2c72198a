"""The body of an ordinary request: rows, read and checked, with their text where that is what the log keeps."""

from typing import Any

from predictions.core.bulk_json import LONG
from predictions.core.inputs import Columns, InputPlan
from predictions.core.parse import payload_of, read_json


def frame_in(body: bytes, plan: InputPlan, *, max_depth: int) -> tuple[Columns, bytes] | None:
    """Read and check the rows of a body.

    Parameters
    ----------
    body : bytes
        JSON text.
    plan : InputPlan
        What the model takes.
    max_depth : int
        How deep the text may be nested.

    Returns
    -------
    tuple of Columns and bytes, or None
        The rows, and their text as the client wrote it where the log keeps that; None if entities are asked about.

    Raises
    ------
    InvalidRequestError, TooManyRowsError
        If the body is at fault.
    """
    if len(body) >= LONG and plan.plain is not None and (read := plan.plain.read(body)) is not None:
        return read, list_in(body)
    return frame_in_value(read_json(body, max_depth=max_depth), body, plan)


def frame_in_value(value: Any, body: bytes, plan: InputPlan) -> tuple[Columns, bytes] | None:
    """Check the rows of a JSON value.

    Parameters
    ----------
    value : object
        What the body says.
    body : bytes
        Its text.
    plan : InputPlan
        What the model takes.

    Returns
    -------
    tuple of Columns and bytes, or None
        As `frame_in`.

    Raises
    ------
    InvalidRequestError, TooManyRowsError
        If the body is at fault.
    """
    rows = only_rows(value)
    if rows is None:
        payload = payload_of(value)
        return None if payload.entities is not None else (plan.from_records(payload.records or ()), b"")
    if plan.plain is not None:
        text = list_in(body)
        if (frame := plan.plain.frame(rows, text)) is not None:
            return frame, text
    return plan.from_rows(rows), b""


def only_rows(value: Any) -> list[Any] | None:
    """Return the rows of a request that holds nothing else, in lists.

    Parameters
    ----------
    value : object
        What the body says.

    Returns
    -------
    list or None
        At least one row; None if the request holds something else.
    """
    rows = value.get("data") if type(value) is dict and len(value) == 1 else None
    return rows if type(rows) is list and rows else None


def list_in(body: bytes) -> bytes:
    """Return the text of the only list in a body, with the lists in it.

    Parameters
    ----------
    body : bytes
        JSON text with a list.

    Returns
    -------
    bytes
        From its first bracket to its last.
    """
    return body[body.index(b"[") : body.rindex(b"]") + 1]
