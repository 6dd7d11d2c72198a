"""What a typed column's values must meet: over whole columns for speed, and value by value in pandera for reasons."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from features.core.column import ARROW_TYPES, INT64, Column, whole
from features.ground.late import LateMapping, pa, pandera, pc, pd

BoolArray = npt.NDArray[np.bool_]
# Whole numbers stay whole numbers beside missing ones.
_PANDAS = LateMapping(lambda: {pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}).get


def broken(values: pa.Array, column: Column) -> BoolArray | None:
    """Tell which values break one of their column's rules.

    Parameters
    ----------
    values : pyarrow.Array of length n
        Typed; null means missing.
    column : Column
        The rules: nullable, min, max, allowed, pattern.

    Returns
    -------
    ndarray of bool, shape (n,), or None
        None where no value does.
    """
    found = []
    if not column.nullable and values.null_count:
        found.append(pc.is_null(values))
    low, high = bounds(column)
    if (low is not None or high is not None) and _outside(values, low, high):
        found += [pc.less(values, low)] if low is not None else []
        found += [pc.greater(values, high)] if high is not None else []
    if column.allowed is not None:
        known = pa.array(allowed_values(column), values.type)
        found.append(pc.and_(pc.is_valid(values), pc.invert(pc.is_in(values, known))))
    if column.pattern is not None:
        found.append(pc.invert(pc.match_substring_regex(values, whole(column.pattern))))
    masks = [mask for mask in (pc.fill_null(mask, fill_value=False) for mask in found) if pc.any(mask).as_py()]
    if not masks:
        return None
    return np.logical_or.reduce([mask.to_numpy(zero_copy_only=False) for mask in masks])  # type: ignore[no-any-return]


def _outside(values: pa.Array, low: Any, high: Any) -> bool:
    span = pc.min_max(values)
    if not span["min"].is_valid:
        return False
    under = low is not None and pc.less(span["min"], low).as_py()
    return bool(under or (high is not None and pc.greater(span["max"], high).as_py()))


def bounds(column: Column) -> tuple[pa.Scalar | None, pa.Scalar | None]:
    """Return a column's bounds in its own type: whole numbers are compared with whole numbers, to the last digit.

    Parameters
    ----------
    column : Column
        A column, with or without bounds.

    Returns
    -------
    tuple of pyarrow.Scalar or None
        Least and greatest value.
    """
    kind = ARROW_TYPES[column.dtype]
    low, high = column.min, column.max
    if column.dtype == "integer":
        low = None if low is None else min(math.ceil(low), INT64 - 1)
        high = None if high is None else max(math.floor(high), -INT64)
    return (None if low is None else pa.scalar(low, kind), None if high is None else pa.scalar(high, kind))


def allowed_values(column: Column) -> list[Any]:
    """Return the allowed values in the column's own type.

    Parameters
    ----------
    column : Column
        A column that has them.

    Returns
    -------
    list
        bool, int, float or str.
    """
    make = {"boolean": bool, "integer": int, "number": float}.get(column.dtype, str)
    return [make(value) for value in column.allowed or ()]


def frame_of(table: pa.Table) -> pd.DataFrame:
    """Return a typed table as pandera sees it.

    Parameters
    ----------
    table : pyarrow.Table
        In the contract's types.

    Returns
    -------
    pandas.DataFrame
        Rows numbered from 0.
    """
    frame: pd.DataFrame = table.to_pandas(types_mapper=_PANDAS)
    return frame


def pandera_schema(columns: Sequence[Column]) -> pandera.DataFrameSchema:
    """Return the rules as pandera checks them; the name of a check is the code of the rule.

    Parameters
    ----------
    columns : sequence of Column
        The contract.

    Returns
    -------
    pandera.DataFrameSchema
    """
    return pandera.DataFrameSchema(
        {column.name: pandera.Column(None, _checks(column), nullable=column.nullable) for column in columns}
    )


def _checks(column: Column) -> list[pandera.Check]:
    low, high = (None if bound is None else bound.as_py() for bound in bounds(column))
    checks = []
    if low is not None:
        checks.append(pandera.Check.ge(low, error="below_minimum"))
    if high is not None:
        checks.append(pandera.Check.le(high, error="above_maximum"))
    if column.allowed is not None:
        checks.append(pandera.Check.isin(allowed_values(column), error="not_allowed"))
    if (pattern := column.pattern) is not None:
        # Python's own expressions can take for ever; these are bound to be linear.
        checks.append(pandera.Check(lambda values: _matches(values, pattern), error="pattern_not_met"))
    return checks


def _matches(values: pd.Series, pattern: str) -> pd.Series:
    found = pc.match_substring_regex(pa.array(values, pa.string(), from_pandas=True), whole(pattern))
    return pd.Series(found.to_numpy(zero_copy_only=False).astype(bool), index=values.index)
