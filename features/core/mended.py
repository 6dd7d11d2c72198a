"""How refused rows travel in a file: their columns as they came, where they are from, and why they were refused."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

VERSION, ROW, REASONS, TEXT = "__version", "__row", "__reasons", "__raw"
BESIDE = (VERSION, ROW, REASONS, TEXT)
MAX_INTEGER = 2**63


def reasons_text(reasons: Sequence[Mapping[str, Any]]) -> str:
    """Return the reasons of a row in one line.

    Parameters
    ----------
    reasons : sequence of mapping
        column, rule and value of each.

    Returns
    -------
    str
        Such as `delay below_minimum -3; carrier missing_value`.
    """
    parts = [[one["column"], one["rule"], one["value"]] for one in reasons]
    return "; ".join(" ".join(part for part in parts_of if part) for parts_of in parts)


def cell_text(value: Any) -> str:
    """Return a value as a CSV file holds it.

    Parameters
    ----------
    value : Any
        As it came; None is an empty cell.

    Returns
    -------
    str
    """
    if value is None:
        return ""
    return value if isinstance(value, str) else orjson.dumps(value, default=str).decode()


def reference(version: Any, row: Any) -> tuple[int, int] | None:
    """Return which refused row a mended one stands for.

    Parameters
    ----------
    version, row : Any
        As the file holds them.

    Returns
    -------
    tuple of (int, int) or None
        None where they are no whole numbers.
    """
    try:
        pair = int(str(version)), int(str(row))
    except ValueError:
        return None
    return pair if all(0 < one < MAX_INTEGER for one in pair) else None
