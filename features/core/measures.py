"""From a column's values to whole steps of a grid that can be summed exactly, and back."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.core.aggregations import CONDITION, Aggregation
from features.core.grid import HALF, HALF_BITS, Grid, Span, grid_for
from features.core.schema import Dtype
from features.core.windows import ViewDefinition

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
SUMMED = ("count", "sum", "mean", "share", "std")
TRUTH = Span(low=0.0, high=1.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Measure:
    """A column, or a condition on it, as the integers that are summed.

    Parameters
    ----------
    column, condition : str
        What is summed; no column for a count of rows.
    dtype : str
        The column's.
    grid : Grid
        Its steps.
    prefix : str
        Begins the names of its sums.
    counted_by : str
        Name of the sum that counts its values; columns without a missing value share one.
    squared, totalled : bool
        Whether a deviation is wanted of it, and whether a sum.
    """

    column: str
    condition: str
    dtype: Dtype
    grid: Grid
    prefix: str
    counted_by: str
    squared: bool
    totalled: bool

    def steps(self) -> dict[str, nw.Expr]:
        """Return what is summed of each row, by name; all of it whole numbers."""
        counted: nw.Expr = nw.lit(1)
        if self._may_miss:
            counted = nw.when(nw.col(self.column).is_null()).then(0).otherwise(1)
        steps = {self.counted_by: counted}
        if self.totalled:
            steps |= {f"{self.prefix}{name}": expr for name, expr in self._total().items()}
        if self.squared:
            steps |= {f"{self.prefix}{name}": expr for name, expr in self._squares().items()}
        return {name: expr.cast(nw.Int64()).alias(name) for name, expr in steps.items()}

    @property
    def _may_miss(self) -> bool:
        return bool(self.column) and self.counted_by != ROWS

    def _total(self) -> dict[str, nw.Expr]:
        value, grid = self._value(), self.grid
        if not grid.low_bits:
            return {"s": value.cast(nw.Int64())}
        scaled = value * 2.0**grid.bits
        # To the next lower step, so that what is left is a share of one: exact, whatever the value's size.
        lower = scaled.floor()
        return {"s": lower, "t": ((scaled - lower) * 2.0**grid.low_bits + 0.5).floor()}

    def _squares(self) -> dict[str, nw.Expr]:
        distance = self._present(self._value() - self.grid.centre)
        steps = (distance * 2.0**self.grid.square_bits + 0.5).floor()
        whole = steps.cast(nw.Int64())
        # Rounded, the upper half may be one off: the lower one is what is left, and makes up for it.
        high = (steps * steps * (1 / HALF)).floor().cast(nw.Int64())
        return {"d": whole, "h": high, "l": whole * whole - high * HALF}

    def _present(self, value: nw.Expr) -> nw.Expr:
        """Return nothing, as a number, where there is no value."""
        return nw.when(nw.col(self.column).is_null()).then(0.0).otherwise(value) if self._may_miss else value

    def _value(self) -> nw.Expr:
        column = nw.col(self.column)
        if self.condition:
            compared = column.cast(nw.Float64()) if self.dtype == "boolean" else column
            holds = _holds(compared, self.condition, numeric=self.dtype != "string")
            return nw.when(holds).then(1.0).otherwise(0.0)
        if self.dtype == "integer" and not self.grid.low_bits and not self.squared:
            return nw.when(column.is_null()).then(0).otherwise(column) if self._may_miss else column
        return self._present(column.cast(nw.Float64()))


ROWS = "__n"


def measures_of(
    view: ViewDefinition, dtypes: Mapping[str, Dtype], spans: Mapping[str, Span], rows: int
) -> dict[str, Measure]:
    """Choose what is summed for each feature that is made of sums.

    Parameters
    ----------
    view : ViewDefinition
        The features.
    dtypes : mapping of name to dtype
        The dataset's columns.
    spans : mapping of name to Span
        Of the columns that are summed.
    rows : int
        How many there are.

    Returns
    -------
    dict of str to Measure
        By name of the feature; features of one column and condition share one.
    """
    wanted = [feature for feature in view.features if feature.function in SUMMED]
    keys = list(dict.fromkeys((f.column, f.condition) for f in wanted))
    made: dict[tuple[str, str], Measure] = {}
    for place, (column, condition) in enumerate(keys):
        functions = {f.function for f in wanted if (f.column, f.condition) == (column, condition)}
        dtype = dtypes.get(column, "integer")
        span = spans.get(column, TRUTH)
        truth = bool(condition) or dtype == "boolean" or not column
        made[column, condition] = Measure(
            column=column,
            condition=condition,
            dtype=dtype,
            grid=grid_for(TRUTH if truth else span, rows, whole=truth or dtype == "integer"),
            prefix=f"__m{place}",
            # Without a missing value, counting values is counting rows.
            counted_by=f"{ROWS}_{column}" if column and span.missing else ROWS,
            squared="std" in functions,
            totalled=bool(functions & {"sum", "mean", "share"}),
        )
    return {feature.name: made[feature.column, feature.condition] for feature in wanted}


def feature_values(feature: Aggregation, of: Measure, held: Mapping[str, IntArray]) -> pa.Array:
    """Turn sums into a feature's values; missing where no row counts, but a count is 0.

    Parameters
    ----------
    feature : Aggregation
        A count, sum, mean, share or std (of a sample: missing below two values).
    of : Measure
        What was summed.
    held : mapping of str to ndarray of int, shape (n,)
        The sums.

    Returns
    -------
    pyarrow.Array of length n
    """
    n = held[of.counted_by]
    if feature.function == "count":
        return pa.array(n)
    if feature.function == "std":
        return pa.array(_deviation(of, n, held), mask=n < 2)
    value = _sum(of, held)
    if feature.function != "sum":
        value = value / np.maximum(n, 1)
    return pa.array(value + 0.0, mask=n == 0)


def _sum(of: Measure, held: Mapping[str, IntArray]) -> FloatArray:
    steps, grid = held[f"{of.prefix}s"], of.grid
    if not grid.low_bits:
        return steps.astype(np.float64)
    left = held[f"{of.prefix}t"]
    steps, left = steps + (left >> grid.low_bits), left & ((1 << grid.low_bits) - 1)
    low: FloatArray = np.ldexp(left.astype(np.float64), -grid.bits - grid.low_bits)
    total: FloatArray = np.ldexp(steps.astype(np.float64), -grid.bits) + low
    return total


def _deviation(of: Measure, n: IntArray, held: Mapping[str, IntArray]) -> FloatArray:
    """Return the sample deviation; the scatter is exact, so that equal values deviate by exactly nothing."""
    steps, high, low = (held[f"{of.prefix}{name}"] for name in "dhl")
    mask = HALF - 1
    high, low = high + (low >> HALF_BITS), low & mask
    steps = np.abs(steps)
    # n times the sum of squares less the square of the sum, as digits of 31 bits.
    upper = n * (high >> HALF_BITS) - (steps >> HALF_BITS) ** 2
    middle = n * (high & mask) - 2 * (steps >> HALF_BITS) * (steps & mask)
    lower = n * low - (steps & mask) ** 2
    middle, lower = middle + (lower >> HALF_BITS), lower & mask
    upper, middle = upper + (middle >> HALF_BITS), middle & mask
    scatter = np.ldexp(upper.astype(np.float64), 2 * HALF_BITS) + (middle * HALF + lower).astype(np.float64)
    safe = np.maximum(n, 2).astype(np.float64)
    result: FloatArray = np.ldexp(np.sqrt(scatter / (safe * (safe - 1))), -of.grid.square_bits)
    return result


def _holds(column: nw.Expr, condition: str, *, numeric: bool) -> nw.Expr:
    match = CONDITION.fullmatch(condition)
    if match is None:
        raise ValueError(f"not a condition: {condition}")
    sign, text = match[1], match[2].strip("'\"")
    other: Any = float(text) if numeric else text
    comparisons: dict[str, nw.Expr] = {
        ">=": column >= other, "<=": column <= other, ">": column > other,
        "<": column < other, "==": column == other, "!=": column != other,
    }  # fmt: skip
    return comparisons[sign]
