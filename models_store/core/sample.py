"""Rows that fit an input schema, for asking a model once whether it answers at all."""

from collections.abc import Mapping, Sequence
from typing import Any

SMOKE_ROWS = 5
_TEXTS = ("a", "b", "c")


def sample_rows(schema: Sequence[Mapping[str, Any]], rows: int = SMOKE_ROWS) -> list[list[Any]]:
    """Make rows within each column's own range.

    Parameters
    ----------
    schema : sequence of mapping
        Input columns in order: `name`, `dtype` (number or string), and perhaps `min`, `max`, `allowed`.
    rows : int
        How many rows, at least 1.

    Returns
    -------
    list of list
        One list per row in the schema's order: floats evenly spread over [min, max] ([-1, 1] where unbounded), and
        the allowed texts in turn.
    """
    columns = [_column(column, rows) for column in schema]
    return [list(row) for row in zip(*columns, strict=True)]


def _column(column: Mapping[str, Any], rows: int) -> list[Any]:
    allowed = column.get("allowed") or ()
    if allowed:
        return [allowed[index % len(allowed)] for index in range(rows)]
    if column["dtype"] == "string":
        return [_TEXTS[index % len(_TEXTS)] for index in range(rows)]
    low, high = _range(column.get("min"), column.get("max"))
    step = (high - low) / max(rows - 1, 1)
    return [low + step * index for index in range(rows)]


def _range(low: float | None, high: float | None) -> tuple[float, float]:
    if low is not None and high is not None:
        return float(low), float(high)
    if low is not None:
        return float(low), float(low) + 2.0
    if high is not None:
        return float(high) - 2.0, float(high)
    return -1.0, 1.0
