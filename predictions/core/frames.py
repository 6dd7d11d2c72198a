"""Many rows at once: the good ones are kept, the faulty ones named."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from features.ground.errors import bounded
from predictions.core.inputs import Columns, InputPlan
from predictions.errors import InvalidRequestError


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckedRows:
    """The usable rows as columns, which rows they were, and why the others are not among them."""

    frame: Columns
    kept: list[int]
    rejected: dict[int, str]


def check_rows(plan: InputPlan, rows: Sequence[Any]) -> CheckedRows:
    """Check rows of which some may be faulty, each a list in column order or a record.

    Parameters
    ----------
    plan : InputPlan
        The model's inputs.
    rows : sequence of list or mapping
        As many as fit in memory; the row limit of a request does not apply.

    Returns
    -------
    CheckedRows
        Good rows in order; a message for each other one.
    """
    read = _reader(plan, rows)
    if read is not None:
        try:
            return CheckedRows(frame=read(rows, limited=False), kept=list(range(len(rows))), rejected={})
        except InvalidRequestError:
            pass  # at least one is faulty: look at each by itself
    kept, rejected = [], {}
    for number, row in enumerate(rows):
        try:
            (plan.from_records if isinstance(row, Mapping) else plan.from_rows)([row])
            kept.append(number)
        except InvalidRequestError as error:
            rejected[number] = error.message.removeprefix("row 0, ").removeprefix("row 0 ")
    as_lists = [_as_list(plan, rows[number]) for number in kept]
    return CheckedRows(frame=plan.from_rows(as_lists, limited=False), kept=kept, rejected=rejected)


def _reader(plan: InputPlan, rows: Sequence[Any]) -> Callable[..., Columns] | None:
    records = sum(isinstance(row, Mapping) for row in rows)
    if records == len(rows):
        return plan.from_records
    return plan.from_rows if records == 0 else None


def _as_list(plan: InputPlan, row: Any) -> list[Any]:
    return [row[name] for name in plan.names] if isinstance(row, Mapping) else list(row)


def check_frame(plan: InputPlan, table: Mapping[str, Any]) -> CheckedRows:
    """Check whole columns of which some cells may be faulty; other columns than the model's are ignored.

    Parameters
    ----------
    plan : InputPlan
        The model's inputs.
    table : mapping of str to array or sequence
        Columns of equal length; None and NaN are missing.

    Returns
    -------
    CheckedRows
        Good rows in order; a message for each other one.

    Raises
    ------
    InvalidRequestError
        If a column of the model is not there.
    """
    if gone := [name for name in plan.names if name not in table]:
        raise InvalidRequestError(
            f"the input lacks the columns {bounded(', '.join(gone), 200)}; "
            f"the model takes {bounded(', '.join(plan.names), 300)}",
            missing=gone[:20],
        )
    rejected: dict[int, str] = {}
    columns: dict[str, npt.NDArray[Any]] = {}
    for place, name in enumerate(plan.names):
        values = np.asarray(table[name])
        if plan.columns[place]["dtype"] == "string":
            columns[name] = _texts(plan, place, values, rejected)
        else:
            columns[name] = _numbers(plan, place, values, rejected)
    total = len(columns[plan.names[0]]) if plan.names else 0
    kept = [row for row in range(total) if row not in rejected] if rejected else list(range(total))
    if rejected:
        columns = {name: values[kept] for name, values in columns.items()}
    return CheckedRows(frame=columns, kept=kept, rejected=rejected)


def _texts(plan: InputPlan, place: int, values: npt.NDArray[Any], rejected: dict[int, str]) -> npt.NDArray[np.object_]:
    column = np.empty(len(values), dtype=object)
    column[:] = [None if value != value else value for value in values.tolist()]
    _reject(plan, place, column, range(len(column)), rejected)
    return column


def _numbers(
    plan: InputPlan, place: int, values: npt.NDArray[Any], rejected: dict[int, str]
) -> npt.NDArray[np.float64]:
    if values.dtype.kind not in "fiub":
        odd = [row for row, value in enumerate(values.tolist()) if not isinstance(value, int | float | None)]
        _reject(plan, place, values, odd, rejected)
        values = np.array([None if row in rejected else value for row, value in enumerate(values.tolist())])
    column = values.astype(np.float64)
    low, high = plan.bounds(plan.columns[place])
    outside = np.flatnonzero(~((column >= low) & (column <= high)))
    _reject(plan, place, column, outside.tolist(), rejected)
    if plan.limits.nan_replacement is not None:
        column = np.where(np.isnan(column), plan.limits.nan_replacement, column)
    return column


def _reject(
    plan: InputPlan, place: int, values: npt.NDArray[Any], suspects: Sequence[int], rejected: dict[int, str]
) -> None:
    for row in suspects:
        value = values[row].item() if isinstance(values[row], np.generic) else values[row]
        fault = plan.fault(place, value)
        if fault is not None and row not in rejected:
            rejected[row] = f"column {plan.names[place]}: {fault}; got {bounded(value, 60)}"
