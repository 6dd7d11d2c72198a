"""Rows that came as columns, or with the names of their columns beside them, in the order of a model."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from features.ground.errors import bounded
from predictions.core.inputs import Columns, InputPlan
from predictions.errors import InvalidRequestError

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_WORDS = {"": None, "nan": None, "null": None, "true": True, "false": False}
Column = npt.NDArray[Any] | list[Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """What a client of another dialect asks about; either columns, a matrix or rows are given.

    Parameters
    ----------
    names : sequence of str, optional
        The names of the columns; None if they stand in the model's order.
    columns : sequence of ndarray or list, optional
        One per name: arrays of numbers with NaN for missing, or lists of cells with None.
    matrix : ndarray of shape (n_rows, n_columns), optional
        Numbers by row, NaN for missing, in the model's order.
    rows : sequence of list, optional
        Cells by row.
    lenient : bool, default False
        Whether columns the model does not take are left out and no rows give no answers, as in a data frame.
    are_texts : bool, default False
        Whether the cells of `columns` are texts, those of numbers too, as in CSV.
    """

    names: Sequence[str] | None = None
    columns: Sequence[Column] | None = None
    matrix: npt.NDArray[Any] | None = None
    rows: Sequence[Any] | None = None
    lenient: bool = False
    are_texts: bool = False


def frame_of(plan: InputPlan, table: Table) -> Columns:
    """Return a table as the checked columns of a model.

    Parameters
    ----------
    plan : InputPlan
        The model's inputs.
    table : Table
        What came.

    Returns
    -------
    Columns
        Float arrays with NaN for missing, object arrays of text with None.

    Raises
    ------
    InvalidRequestError
        If a column is missing, unknown or named twice, a row has another length, or a cell can't be used.
    TooManyRowsError
        If there are more rows than one request may hold.
    """
    order = None if table.names is None else _order(plan, table.names, table.lenient)
    if table.rows is not None:
        return plan.from_rows(_rows(plan, table.rows, table.names or (), order))
    columns = table.columns or ()
    if table.matrix is not None:
        if plan.plain is not None and table.matrix.shape[1] == len(plan.names) and len(table.matrix):
            return plan.from_matrix(table.matrix)
        columns = [*table.matrix.T]
    if order is not None:
        columns = [columns[place] for place in order]
    elif len(columns) != len(plan.names):
        raise InvalidRequestError(
            f"{len(columns)} columns came; the model takes {len(plan.names)}: {bounded(', '.join(plan.names), 300)}",
            expected=len(plan.names),
            got=len(columns),
        )
    if len({len(column) for column in columns}) > 1:
        lengths = ", ".join(f"{name} {len(column)}" for name, column in zip(plan.names, columns, strict=True))
        raise InvalidRequestError(f"the columns must be of one length; got {bounded(lengths, 300)}")
    if not (table.lenient or (columns and len(columns[0]))):
        raise InvalidRequestError("no row came; give at least one")
    if table.are_texts:
        numbers = [column["dtype"] != "string" for column in plan.columns]
        columns = [[cell_value(text, number=n) for text in cells] for n, cells in zip(numbers, columns, strict=True)]
    return plan.from_columns(columns)


def cell_value(text: str, *, number: bool) -> Any:
    """Return what a cell of text says in a column of numbers or of texts.

    Parameters
    ----------
    text : str
        The cell.
    number : bool
        Whether the column holds numbers.

    Returns
    -------
    float, bool, str or None
        None for a missing one; the text itself where it is no number.
    """
    if not number:
        return text or None
    plain = text.strip()
    if _NUMBER.fullmatch(plain):
        return float(plain)
    return _WORDS.get(plain.lower(), text)


def _order(plan: InputPlan, names: Sequence[str], lenient: bool) -> list[int]:
    places = {name: place for place, name in enumerate(names)}
    missing = [name for name in plan.names if name not in places]
    unknown = [bounded(name, 60) for name in names if name not in plan.names]
    twice = sorted({bounded(name, 60) for name in names if names.count(name) > 1}) if len(places) < len(names) else []
    wrong = [f"lack {', '.join(missing[:10])}"] if missing else []
    wrong += [f"have unknown {', '.join(unknown[:10])}"] if unknown and not lenient else []
    wrong += [f"name {', '.join(twice[:10])} twice"] if twice else []
    if wrong:
        raise InvalidRequestError(
            f"the inputs {bounded(' and '.join(wrong), 250)}; the model takes {bounded(', '.join(plan.names), 250)}",
            missing=missing[:10],
            unknown=unknown[:10],
        )
    return [places[name] for name in plan.names]


def _rows(plan: InputPlan, rows: Sequence[Any], names: Sequence[str], order: list[int] | None) -> Sequence[Any]:
    if order is None or list(names) == plan.names:
        return rows
    # Counted before they are laid out anew.
    plan.check_count(len(rows))
    for number, row in enumerate(rows):
        if not isinstance(row, list | tuple) or len(row) != len(names):
            raise InvalidRequestError(
                f"row {number} must be a list of {len(names)} values, one per column; got {bounded(row, 60)}",
                row=number,
            )
    return [[row[place] for place in order] for row in rows]
