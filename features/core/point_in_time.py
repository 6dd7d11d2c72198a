"""Which rows count for which label, written once in narwhals for every engine.

A row counts for a label at time t if it happened in [t - window, t) and was known by t. So each row is in force
from the moment it is known until its window has passed, and never if it became known later than that. What is in
force at t is then what has begun by t less what has ended before t: one sort and a running sum, instead of a join of
every label with every row. All a row begins it also ends, so one sum runs through all entities, each from zero to zero.
Times are whole microseconds and values whole steps of a fine grid: sums are exact, don't depend on the order of rows,
and cancel to nothing.
"""

from collections.abc import Sequence
from typing import Any

import narwhals.stable.v2 as nw

ROW, AT, EVENT, KNOWN = "__row", "__at", "__event", "__known"
IS_LABEL, RANK = "__is_label", "__rank"


def in_force(
    labels: nw.LazyFrame[Any], events: nw.LazyFrame[Any], *, entity: Sequence[str], window_us: int
) -> nw.DataFrame[Any]:
    """Sum, for each label, every further column of the events that count for it.

    Parameters
    ----------
    labels : LazyFrame
        Row number, entity columns and asking time.
    events : LazyFrame
        Entity columns, event time, time known (later than the event time), and 64-bit integer columns to sum.
    entity : sequence of str
        Names of the entity columns.
    window_us : int
        Length of the window in microseconds.

    Returns
    -------
    DataFrame
        One row a label, in any order: row number and the sums, 0 where nothing counts. What has begun altogether may
        pass 64 bits on the way; what is in force at one time must not.
    """
    fixed = {*entity, EVENT, KNOWN}
    sums = [name for name in events.collect_schema().names() if name not in fixed]
    counting = events.filter(nw.col(KNOWN) <= nw.col(EVENT) + window_us)
    begins = counting.select(_no_label(), *entity, nw.col(KNOWN).alias(AT), *sums)
    less = ((0 - nw.col(name)).cast(nw.Int64()).alias(name) for name in sums)
    ends = counting.select(_no_label(), *entity, (nw.col(EVENT) + (window_us + 1)).alias(AT), *less)
    asks = labels.select(ROW, *entity, AT, *(_whole(0).alias(name) for name in sums))
    steps = _in_order(nw.concat([begins, ends, asks]), entity).select(ROW, *sums).collect("pyarrow")
    return steps.with_columns(nw.col(*sums).cum_sum()).filter(nw.col(ROW) >= 0)


def ranked(events: nw.LazyFrame[Any], *, entity: Sequence[str], columns: Sequence[str]) -> nw.LazyFrame[Any]:
    """Number the events by entity, event time and time known; of two the higher number is the newer.

    Parameters
    ----------
    events : LazyFrame
        Entity columns, event time, time known and the columns.
    entity, columns : sequence of str
        Names; the columns only decide between rows that are equal in all else.

    Returns
    -------
    LazyFrame
        The events with `__rank`, from 0.
    """
    frame = events.with_row_index(RANK, order_by=[*entity, EVENT, KNOWN, *columns])
    return frame.with_columns(nw.col(RANK).cast(nw.Int64()))


def newest_known(
    labels: nw.LazyFrame[Any], events: nw.LazyFrame[Any], *, entity: Sequence[str], columns: Sequence[str]
) -> nw.DataFrame[Any]:
    """Find, for each label, the newest row known by then that holds a value, column by column.

    Parameters
    ----------
    labels : LazyFrame
        As for `in_force`.
    events : LazyFrame
        What `ranked` gives.
    entity, columns : sequence of str
        Names.

    Returns
    -------
    DataFrame
        One row a label, in any order: row number and, in each column, the rank of the row that holds its newest value.
        It is -1 or of another entity where there is none.
    """
    ranks = [
        nw.when(nw.col(name).is_null()).then(_whole(-1)).otherwise(nw.col(RANK)).alias(f"{RANK}{place}")
        for place, name in enumerate(columns)
    ]
    begins = events.select(_no_label(), *entity, nw.col(KNOWN).alias(AT), *ranks)
    names = [f"{RANK}{place}" for place in range(len(columns))]
    asks = labels.select(ROW, *entity, AT, *(_whole(-1).alias(name) for name in names))
    steps = _in_order(nw.concat([begins, asks]), entity).select(ROW, *names).collect("pyarrow")
    found = steps.with_columns(nw.col(*names).cum_max()).filter(nw.col(ROW) >= 0)
    return found.rename(dict(zip(names, columns, strict=True)))


def _whole(number: int) -> nw.Expr:
    return nw.lit(number).cast(nw.Int64())


def _no_label() -> nw.Expr:
    return _whole(-1).alias(ROW)


def _in_order(steps: nw.LazyFrame[Any], entity: Sequence[str]) -> nw.LazyFrame[Any]:
    """Sort by entity and time; at one time, what begins and ends comes before who asks."""
    marked = steps.with_columns((nw.col(ROW) >= 0).cast(nw.Int64()).alias(IS_LABEL))
    return marked.sort(*entity, AT, IS_LABEL)
