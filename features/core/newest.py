"""The newest value of each entity, in a pass over the few rows that can hold it.

A value's newest row is found by its greatest event time, then the greatest time known, then the greatest value. The
event times are known from the pass that sums, so what is read here begins at the oldest of those that still matter:
mostly a small end of the rows.
"""

from functools import reduce
from operator import or_
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.core.as_of import TIME, Question
from features.core.point_in_time import EVENT, KNOWN, Frames

Frame = nw.LazyFrame[Any]
OWNER = "__owner"


def with_newest(question: Question, state: pa.Table, rows: Frame, frames: Frames) -> pa.Table:
    """Append the newest values to what `state_as_of` gives.

    Parameters
    ----------
    question : Question
        What is asked.
    state : pyarrow.Table
        One row an entity, with the event times of its newest values.
    rows : LazyFrame
        What `usable_rows` keeps.
    frames : callable
        Hands a table to the engine and returns a lazy frame of it.

    Returns
    -------
    pyarrow.Table
        The same and `__v0`, `__v1`…, a column for each that a newest value is wanted of.
    """
    ends = question.ends()
    if not ends:
        return state
    # The time itself is a column of the rows, so that of an entity's newest row has another name here.
    names = {end: f"__of{end}" for end in ends.values()}
    times = {name: _fresh(question, state, end) for end, name in names.items()}
    since = min((end for end in (pc.min(time).as_py() for time in times.values()) if end), default=question.moment)
    owners = state.select(question.view.entity).append_column(OWNER, pa.array(np.arange(state.num_rows)))
    for name, time in times.items():
        owners = owners.append_column(name, time)
    recent = rows.filter(nw.col(EVENT) >= nw.lit(since))
    newest = _newest(question, recent, frames(owners), {column: names[end] for column, end in ends.items()})
    found: pa.Table = newest.collect("pyarrow").to_native()
    place = np.full(state.num_rows, -1)
    place[found[OWNER].to_numpy()] = np.arange(found.num_rows)
    places = pa.array(place, mask=place < 0)
    for number in range(len(ends)):
        state = state.append_column(f"__v{number}", found[f"__v{number}"].take(places))
    return state


def _fresh(question: Question, state: pa.Table, end: str) -> pa.ChunkedArray:
    """Return when the newest values are from that no window is too short for."""
    window = max(f.window_us for f in question.view.features if f.function == "last")
    time = state[end].cast(TIME)
    return pc.if_else(pc.greater_equal(time, pa.scalar(question.start(window), TIME)), time, None)


def _newest(question: Question, rows: Frame, owners: Frame, ends: dict[str, str]) -> Frame:
    entity = list(question.view.entity)
    known = [KNOWN] if KNOWN in rows.collect_schema().names() else []
    columns = dict.fromkeys([*entity, EVENT, *known, *ends])
    kept = rows.select(*columns).join(owners, on=entity, how="inner")
    kept = kept.filter(reduce(or_, (nw.col(EVENT) == nw.col(end) for end in set(ends.values()))))
    counts = [(nw.col(EVENT) == nw.col(end)) & ~nw.col(column).is_null() for column, end in ends.items()]
    if known:
        times = [nw.when(one).then(nw.col(KNOWN)).alias(f"__k{i}") for i, one in enumerate(counts)]
        last = kept.select(OWNER, *times).group_by(OWNER).agg(*(nw.col(f"__k{i}").max() for i in range(len(times))))
        kept = kept.join(last, on=OWNER, how="inner")
        counts = [one & (nw.col(KNOWN) == nw.col(f"__k{i}")) for i, one in enumerate(counts)]
    values = [nw.when(counts[i]).then(nw.col(name)).alias(f"__v{i}") for i, name in enumerate(ends)]
    return kept.select(OWNER, *values).group_by(OWNER).agg(*(nw.col(f"__v{i}").max() for i in range(len(values))))
