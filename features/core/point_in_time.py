"""Feature values as they were known at each label's own time, written once in narwhals for every engine.

A row counts for a label at time t if it happened in [t - window, t) and was known by t. So each row is in force
from the moment it is known until its window has passed, and never if it became known later than that. What is in
force at t is then what has begun by t less what has ended before t: two running sums instead of a join of every
label with every row. Times are integers (microseconds) and values are integers on a fine grid, so that sums are
exact, don't depend on the order of rows, and cancel to zero.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import narwhals.stable.v2 as nw

from features.core.windows import CONDITION, Aggregation

ROW, AT, EVENT, KNOWN = "__row", "__at", "__event", "__known"
IS_LABEL, RANK = "__is_label", "__rank"
# 2^-60 for values of everyday size, so that the grid is the same whatever else the data holds; 128 bits hold the sums.
GRID_BITS, SMALLEST, LARGEST, RELATIVE_BITS = 60, 2.0**-16, 2.0**30, 60
SQUARE_BITS = 36


@dataclass(frozen=True, kw_only=True, slots=True)
class Spread:
    """Where a column's values lie, which decides the grid they are summed on.

    Parameters
    ----------
    largest : float
        Greatest absolute value.
    centre : float
        Mean; squares are taken around it.
    """

    largest: float = 0.0
    centre: float = 0.0

    @property
    def bits(self) -> int:
        """Return k where values are summed in steps of 2^-k."""
        if SMALLEST <= self.largest < LARGEST or self.largest == 0:
            return GRID_BITS
        return RELATIVE_BITS - math.frexp(self.largest)[1]

    @property
    def square_bits(self) -> int:
        """Return k where distances from the centre are squared in steps of 2^-k."""
        return SQUARE_BITS - math.frexp(self.largest + abs(self.centre) or 1.0)[1]


@dataclass(frozen=True, kw_only=True, slots=True)
class Measure:
    """A column, or a condition on it, as the integers that are summed."""

    column: str
    condition: str
    numeric: bool
    spread: Spread
    prefix: str

    def value(self) -> nw.Expr:
        """Return the summed value of each row: the column's own, or 1 where the condition holds."""
        column = nw.col(self.column)
        if not self.condition:
            return column
        return nw.when(_holds(column, self.condition, numeric=self.numeric)).then(1.0).otherwise(0.0)

    def columns(self, *, squares: bool) -> list[nw.Expr]:
        """Return count, sum and, if asked for, centred sum and square of each row."""
        if not self.column:
            return [nw.lit(1).cast(nw.Int128()).alias(f"{self.prefix}n")]
        absent = nw.col(self.column).is_null()
        count = nw.when(absent).then(0).otherwise(1).cast(nw.Int128()).alias(f"{self.prefix}n")
        if not (self.numeric or self.condition):
            return [count]
        value = nw.when(absent).then(0.0).otherwise(self.value().cast(nw.Float64()))
        total = _on_grid(value, self.spread.bits).alias(f"{self.prefix}s")
        if not squares:
            return [count, total]
        distance = nw.when(absent).then(0.0).otherwise(self.value().cast(nw.Float64()) - self.spread.centre)
        steps = _on_grid(distance, self.spread.square_bits)
        return [count, total, steps.alias(f"{self.prefix}d"), (steps * steps).alias(f"{self.prefix}q")]


def _on_grid(value: nw.Expr, bits: int) -> nw.Expr:
    return (value * 2.0**bits).round().cast(nw.Int128())


def _holds(column: nw.Expr, condition: str, *, numeric: bool) -> nw.Expr:
    match = CONDITION.fullmatch(condition)
    if match is None:
        raise ValueError(f"not a condition: {condition}")
    sign, text = match[1], match[2].strip("'\"")
    other: Any = float(text) if numeric else text
    comparisons = {
        ">=": column >= other, "<=": column <= other, ">": column > other,
        "<": column < other, "==": column == other, "!=": column != other,
    }  # fmt: skip
    return comparisons[sign]


def in_force(
    labels: nw.LazyFrame[Any], events: nw.LazyFrame[Any], *, entity: Sequence[str], window_us: int
) -> nw.LazyFrame[Any]:
    """Sum, for each label, every further column of the events that count for it.

    Parameters
    ----------
    labels : LazyFrame
        Row number, entity columns and asking time.
    events : LazyFrame
        Entity columns, event time, time known (later than the event time), and integer columns to sum.
    entity : sequence of str
        Names of the entity columns.
    window_us : int
        Length of the window in microseconds.

    Returns
    -------
    LazyFrame
        One row a label, in any order: row number and the sums, 0 where nothing counts.
    """
    fixed = {*entity, EVENT, KNOWN}
    sums = [name for name in events.collect_schema().names() if name not in fixed]
    counting = events.filter(nw.col(KNOWN) <= nw.col(EVENT) + window_us)
    nothing = nw.lit(-1).cast(nw.Int64()).alias(ROW)
    begins = counting.select(nothing, *entity, nw.col(KNOWN).alias(AT), *sums)
    ends = counting.select(
        nothing,
        *entity,
        (nw.col(EVENT) + (window_us + 1)).alias(AT),
        *((0 - nw.col(name)).alias(name) for name in sums),
    )
    asks = labels.select(ROW, *entity, AT, *(nw.lit(0).cast(nw.Int128()).alias(name) for name in sums))
    steps = nw.concat([begins, ends, asks]).with_columns((nw.col(ROW) >= 0).cast(nw.Int64()).alias(IS_LABEL))
    running = steps.with_columns(nw.col(*sums).cum_sum().over(*entity, order_by=[AT, IS_LABEL]))
    return running.filter(nw.col(IS_LABEL) == 1).select(ROW, *sums)


def summed_feature(feature: Aggregation, measure: Measure) -> nw.Expr:
    """Return a feature's value from the sums of `in_force`; missing where no row counts, but a count is 0."""
    count, total = nw.col(f"{measure.prefix}n"), nw.col(f"{measure.prefix}s")
    if feature.function == "count":
        return count.cast(nw.Int64()).alias(feature.name)
    n = count.cast(nw.Float64())
    if feature.function == "std":
        steps, squares = nw.col(f"{measure.prefix}d"), nw.col(f"{measure.prefix}q")
        # Exact integers: equal values have a deviation of exactly nothing.
        scatter = (count * squares - steps * steps).cast(nw.Float64())
        unit = 2.0**-measure.spread.square_bits
        return nw.when(count > 1).then((scatter / (n * (n - 1.0))).sqrt() * unit).otherwise(None).alias(feature.name)
    value = total.cast(nw.Float64()) * 2.0**-measure.spread.bits
    if feature.function != "sum":
        value = value / n
    return nw.when(count > 0).then(value).otherwise(None).alias(feature.name)


def newest_known(
    labels: nw.LazyFrame[Any], events: nw.LazyFrame[Any], *, entity: Sequence[str], features: Sequence[Aggregation]
) -> nw.LazyFrame[Any]:
    """Find, for each label, the newest known value of columns, whatever window it is sought in.

    Parameters
    ----------
    labels, events : LazyFrame
        As for `in_force`; the events hold the features' columns.
    entity : sequence of str
        Names of the entity columns.
    features : sequence of Aggregation
        Those whose function is last.

    Returns
    -------
    LazyFrame
        One row a label, in any order: row number and each feature. Of rows with one event time the one known last wins.
    """
    columns = sorted({feature.column for feature in features})
    places = {column: f"{RANK}{place}" for place, column in enumerate(columns)}
    ranked = events.with_row_index(RANK, order_by=[EVENT, KNOWN, *columns])
    none = nw.lit(-1).cast(nw.Int64())
    ranks = [
        nw.when(nw.col(column).is_null()).then(none).otherwise(nw.col(RANK).cast(nw.Int64())).alias(places[column])
        for column in columns
    ]
    begins = ranked.select(none.alias(ROW), *entity, nw.col(KNOWN).alias(AT), *ranks)
    asks = labels.select(ROW, *entity, AT, *(none.alias(place) for place in places.values()))
    steps = nw.concat([begins, asks]).with_columns((nw.col(ROW) >= 0).cast(nw.Int64()).alias(IS_LABEL))
    running = steps.with_columns(nw.col(*places.values()).cum_max().over(*entity, order_by=[AT, IS_LABEL]))
    found = running.filter(nw.col(IS_LABEL) == 1)
    for column, place in places.items():
        values = ranked.select(
            nw.col(RANK).cast(nw.Int64()).alias(place),
            nw.col(EVENT).alias(f"{place}e"),
            nw.col(column).alias(f"{place}v"),
        )
        found = found.join(values, on=place, how="left")
    fresh = [
        nw.when(nw.col(f"{places[f.column]}e") >= nw.col(AT) - f.window_us)
        .then(nw.col(f"{places[f.column]}v"))
        .otherwise(None)
        .alias(f.name)
        for f in features
    ]
    return found.select(ROW, *fresh)
