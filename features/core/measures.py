"""From a column's values to whole steps of a grid that can be summed exactly, and back."""

import math
from dataclasses import dataclass
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from features.core.windows import CONDITION, Aggregation

# A sum of all rows stays within 62 bits; a square of 31 bits is summed as two halves of 31.
SUM_BITS, HALF_BITS = 62, 31
HALF = 1 << HALF_BITS
# A float holds no larger power of two: what is smaller than this grid is nothing.
MAX_BITS = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class Measure:
    """A column, or a condition on it, as the integers that are summed.

    Parameters
    ----------
    column, condition : str
        What is summed; no column for a count of rows.
    numeric : bool
        Whether the column holds numbers or truths.
    bits, square_bits : int
        Values are summed in steps of 2^-bits, their distances from the centre squared in steps of 2^-square_bits.
    centre : float
        Mean of the column.
    prefix : str
        Begins the names of its sums.
    counted_by : str
        Name of the sum that counts its values; columns without a missing value share one.
    """

    column: str
    condition: str
    numeric: bool
    bits: int
    square_bits: int
    centre: float
    prefix: str
    counted_by: str

    def count(self) -> nw.Expr:
        """Return 1 for each row that has a value, else 0."""
        one = nw.lit(1)
        if self.column:
            one = nw.when(nw.col(self.column).is_null()).then(0).otherwise(1)
        return one.cast(nw.Int64()).alias(self.counted_by)

    def sums(self, *, squares: bool) -> list[nw.Expr]:
        """Return sum and, if asked for, centred sum and both halves of the centred square of each row."""
        if not (self.column and (self.numeric or self.condition)):
            return []
        absent = nw.col(self.column).is_null()
        total = _on_grid(nw.when(absent).then(0.0).otherwise(self._value()), self.bits).alias(f"{self.prefix}s")
        if not squares:
            return [total]
        distance = nw.when(absent).then(0.0).otherwise(self._value() - self.centre)
        steps = _on_grid(distance, self.square_bits)
        square = steps * steps
        halves = {"d": steps, "h": square // HALF, "l": square % HALF}
        return [total, *(expr.cast(nw.Int64()).alias(f"{self.prefix}{name}") for name, expr in halves.items())]

    def _value(self) -> nw.Expr:
        column = nw.col(self.column)
        if not self.condition:
            return column.cast(nw.Float64())
        return nw.when(_holds(column, self.condition, numeric=self.numeric)).then(1.0).otherwise(0.0)


def measure(key: tuple[str, str], prefix: str, events: pa.Table, dtype: str) -> Measure:
    """Choose the grid for a column.

    Parameters
    ----------
    key : tuple of str
        Column and condition.
    prefix : str
        Begins the names of its sums.
    events : pyarrow.Table
        All rows; their number and greatest value decide how fine the grid may be.
    dtype : str
        The column's dtype; any for a count of rows.

    Returns
    -------
    Measure
    """
    column, condition = key
    largest, centre = 1.0, 0.0
    if column and not condition and dtype in ("integer", "number"):
        values = events[column].cast(pa.float64(), safe=False)
        span, centre = pc.min_max(values).as_py(), pc.mean(values).as_py() or 0.0
        largest = max(abs(span["min"] or 0.0), abs(span["max"] or 0.0)) or 1.0
    # Without a missing value, counting values is counting rows.
    partly = bool(column) and events[column].null_count > 0
    return Measure(
        column=column,
        condition=condition,
        numeric=dtype in ("integer", "number", "boolean"),
        bits=min(SUM_BITS - math.frexp(largest)[1] - events.num_rows.bit_length(), MAX_BITS),
        square_bits=min(HALF_BITS - math.frexp(largest + abs(centre))[1], MAX_BITS),
        centre=centre,
        prefix=prefix,
        counted_by=f"__n_{column}" if partly else "__n",
    )


def feature_values(feature: Aggregation, of: Measure, held: pa.Table) -> pa.ChunkedArray:
    """Turn sums into a feature's values; missing where no row counts, but a count is 0.

    Parameters
    ----------
    feature : Aggregation
        A count, sum, mean, share or std (of a sample: missing below two values).
    of : Measure
        What was summed.
    held : pyarrow.Table of n rows
        The sums.

    Returns
    -------
    pyarrow.ChunkedArray of length n
    """
    count = held[of.counted_by]
    if feature.function == "count":
        return count
    n = count.to_numpy()
    if feature.function == "std":
        return pa.chunked_array([pa.array(_deviation(of, n, held), mask=n < 2)])
    value = np.ldexp(held[f"{of.prefix}s"].to_numpy().astype(np.float64), -of.bits)
    if feature.function != "sum":
        value = value / np.maximum(n, 1)
    return pa.chunked_array([pa.array(value, mask=n == 0)])


def _deviation(of: Measure, n: npt.NDArray[np.int64], held: pa.Table) -> npt.NDArray[np.float64]:
    """Return the sample deviation; whole numbers of any size, so that equal values deviate by exactly nothing."""
    steps, high, low = (held[f"{of.prefix}{name}"].to_numpy().astype(object) for name in "dhl")
    scatter = (n.astype(object) * (high * HALF + low) - steps * steps).astype(np.float64)
    safe = np.maximum(n, 2).astype(np.float64)
    result: npt.NDArray[np.float64] = np.ldexp(np.sqrt(scatter / (safe * (safe - 1))), -of.square_bits)
    return result


def _on_grid(value: nw.Expr, bits: int) -> nw.Expr:
    return (value * 2.0**bits).round().cast(nw.Int64())


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
