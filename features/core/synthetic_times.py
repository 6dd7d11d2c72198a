"""When made-up events happen, and when they become known."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from features.core.column import Column, time_text
from features.core.dataset_rules import max_age
from features.errors import SchemaError

START = datetime(2024, 1, 1, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LAST = datetime.max.replace(tzinfo=UTC)
MINUTE = 60_000_000
HOUR = 60 * MINUTE

Micros = npt.NDArray[np.int64]


def micros(at: datetime) -> int:
    """Return a time as microseconds since 1970.

    Parameters
    ----------
    at : datetime
        With a zone.

    Returns
    -------
    int
    """
    gap = at - EPOCH
    return (gap.days * 86_400 + gap.seconds) * 1_000_000 + gap.microseconds


def event_times(
    columns: Sequence[Column], rules: Mapping[str, Any], rows: int, after: datetime | None, now: datetime
) -> tuple[int, int]:
    """Return when made-up events begin, and the time from one to the next.

    Parameters
    ----------
    columns : sequence of Column
        The contract's columns.
    rules : mapping
        Rules of the dataset.
    rows : int
        How many events.
    after : datetime or None
        The last event there is: these come after it.
    now : datetime
        Where the dataset must be fresh, the last of them is of this moment.

    Returns
    -------
    tuple of int
        In microseconds; a minute apart unless there is no room for that.

    Raises
    ------
    SchemaError
        If the timestamp's bounds leave no room.
    """
    column = next((column for column in columns if column.role == "timestamp"), None)
    if column is None:
        return micros(START) + MINUTE, MINUTE
    least = micros(column.min) if column.min is not None else None
    begin = max(micros(after) + 1 if after is not None else -(2**62), least if least is not None else -(2**62))
    end = micros(column.max if column.max is not None else LAST)
    fresh = "freshness" in rules and max_age(rules["freshness"]) is not None
    end = max(min(end, micros(now)), begin) if fresh else end
    gaps = max(rows - 1, 1)
    first = max(micros(after or START) + MINUTE, begin)
    if fresh or first + gaps * MINUTE > end:
        # As late as may be, and closer to one another if that is too early.
        first = max(begin, end - gaps * MINUTE)
    step = min(MINUTE, max(end - first, 0) // gaps)
    if first > end or (column.unique and step == 0 and rows > 1):
        said = time_text(column.max) if column.max is not None else "9999-12-31T23:59:59.999999Z"
        raise SchemaError(f"column {column.name!r}: no room for {rows} events after those there are and until {said}")
    return first, step


def known_times(column: Column, events: Micros, span: tuple[int, int], random: np.random.Generator) -> Micros:
    """Return when events become known: up to an hour after each, within the column's bounds.

    Parameters
    ----------
    column : Column
        With the role known_at.
    events : ndarray of int
        When they happen, in microseconds.
    span : tuple of int
        First and last of all events, of which these may be a part.
    random : Generator
        Of the lateness.

    Returns
    -------
    ndarray of int
        In microseconds; each once where the column is unique.
    """
    low = micros(column.min) if column.min is not None else None
    high = micros(column.max if column.max is not None else LAST)
    if not column.unique:
        late = events + random.integers(1, 3600, len(events)) * 1_000_000
        return late.clip(low, high)
    # All as late as one another: what is known is as distinct as what happens.
    late_us = min(MINUTE, max(high - span[1], 0))
    return events + (late_us if low is None else max(late_us, low - span[0]))
