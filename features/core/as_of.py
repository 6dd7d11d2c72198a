"""A view's features for every entity as of one moment, written once in narwhals for every engine.

Windows that end at one moment lie within one another. So each row falls into the ring between two of them, one pass
sums the rings, and a window is the rings within it. Only what every engine has is used: conditions, sums, least and
greatest values of plain columns, joins. The newest values themselves are found after that, by their times.
"""

from collections.abc import Mapping, Set
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.core.aggregations import Aggregation
from features.core.evaluate import with_derived
from features.core.history import typed
from features.core.measures import Measure, feature_values
from features.core.point_in_time import EVENT, KNOWN
from features.core.schema import ARROW_TYPES, Dtype
from features.core.windows import ViewDefinition, result_dtype

Frame = nw.LazyFrame[Any]
RING, VALUE = "__ring", "__value"
EARLIEST = datetime(1, 1, 1, tzinfo=UTC)
TICK = timedelta(microseconds=1)
TIME = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """What is asked of the rows of a dataset.

    Parameters
    ----------
    view : ViewDefinition
        The features.
    moment : datetime
        Only what had happened before and was known by then counts.
    measures : mapping of str to Measure
        What is summed for each feature that is made of sums.
    dtypes : mapping of name to dtype
        The dataset's columns.
    full : set of str
        Columns of which no value is missing.
    """

    view: ViewDefinition
    moment: datetime
    measures: Mapping[str, Measure]
    dtypes: Mapping[str, Dtype]
    full: Set[str] = frozenset()

    def windows(self) -> list[int]:
        """Return the windows in microseconds, shortest first."""
        return sorted({feature.window_us for feature in self.view.features})

    def start(self, window_us: int) -> datetime:
        """Return when a window begins."""
        length = timedelta(microseconds=window_us)
        return self.moment - length if self.moment - EARLIEST > length else EARLIEST

    def columns(self, *functions: str) -> list[str]:
        """Return the columns some functions are of, each once."""
        return list(dict.fromkeys(f.column for f in self.view.features if f.function in functions))

    def ends(self) -> dict[str, str]:
        """Return, for each column a newest value is wanted of, what the state calls the time of it."""
        columns = enumerate(self.columns("last"))
        return {column: EVENT if column in self.full else f"__le{place}" for place, column in columns}


def usable_rows(question: Question, rows: Frame) -> Frame:
    """Keep the rows that had happened and were known, and have a whole key.

    Parameters
    ----------
    question : Question
        What is asked.
    rows : LazyFrame
        Entity columns, `__event`, `__known` where times known are kept, and the aggregated columns.

    Returns
    -------
    LazyFrame
    """
    moment = nw.lit(question.moment)
    conditions = [~nw.col(name).is_null() for name in question.view.entity]
    conditions.append(nw.col(EVENT) < moment)
    names = rows.collect_schema().names()
    if KNOWN not in names:
        return rows.filter(*conditions)
    kept = rows.filter(*conditions, nw.col(KNOWN) <= moment)
    after = nw.col(EVENT) + TICK
    return kept.with_columns(nw.when(nw.col(KNOWN) > after).then(nw.col(KNOWN)).otherwise(after).alias(KNOWN))


def state_as_of(question: Question, rows: Frame) -> Frame:
    """Bring the rows of each entity down to what its features are made of.

    Parameters
    ----------
    question : Question
        What is asked.
    rows : LazyFrame
        What `usable_rows` keeps.

    Returns
    -------
    LazyFrame
        One row an entity.
    """
    entity = list(question.view.entity)
    state = _windowed(question, rows)
    for place, column in enumerate(question.columns("nunique")):
        state = state.join(_distinct(question, rows, column, f"__u{place}"), on=entity, how="left")
    return state


def _windowed(question: Question, rows: Frame) -> Frame:
    """Sum each ring, then the rings of each window."""
    entity, windows = question.view.entity, question.windows()
    rings, names = _rings(question, rows)
    parts: dict[str, nw.Expr] = {}
    for place in range(len(windows)):
        inside = nw.col(RING) <= place
        for name, how in names.items():
            # A sum of 64 bits may come back wider.
            value = nw.col(name).cast(nw.Int64()) if how == "sum" else nw.col(name)
            part = nw.when(inside).then(value)
            parts[f"{name}_{place}"] = (part.otherwise(nw.lit(0).cast(nw.Int64())) if how == "sum" else part).alias(
                f"{name}_{place}"
            )
    totals = [_reduced(nw.col(part), names[part.rpartition("_")[0]]) for part in parts]
    times = list(dict.fromkeys([EVENT, *question.ends().values()]))
    newest = [nw.col(time).max() for time in times]
    return rings.select(*entity, *times, *parts.values()).group_by(*entity).agg(*newest, *totals)


def _rings(question: Question, rows: Frame) -> tuple[Frame, dict[str, str]]:
    """Bring the rows between two windows of each entity down to one; return how each column goes on."""
    windows = question.windows()
    steps = {name: expr for one in question.measures.values() for name, expr in one.steps().items()}
    extremes = question.columns("min", "max")
    numbers = {f"__x{place}": nw.col(name).cast(nw.Float64()) for place, name in enumerate(extremes)}
    ring: nw.Expr = nw.lit(len(windows))
    for place in reversed(range(len(windows))):
        begun = nw.col(EVENT) >= nw.lit(question.start(windows[place]))
        ring = nw.when(begun).then(nw.lit(place)).otherwise(ring)
    times = {
        name: nw.when(~nw.col(column).is_null()).then(nw.col(EVENT))
        for column, name in question.ends().items()
        if name != EVENT
    }
    columns = [*steps.values(), *(expr.alias(name) for name, expr in (numbers | times).items())]
    keys = question.view.entity
    prepared = rows.select(*keys, EVENT, ring.cast(nw.Int64()).alias(RING), *columns)
    sums = [nw.col(name).sum() for name in steps]
    ends = [_reduced(nw.col(name), how).alias(f"{name}{how}") for name in numbers for how in ("min", "max")]
    names = dict.fromkeys(steps, "sum") | {f"{name}{how}": how for name in numbers for how in ("min", "max")}
    newest = [nw.col(name).max() for name in (EVENT, *times)]
    return prepared.group_by(*keys, RING).agg(*newest, *sums, *ends), names


def _reduced(column: nw.Expr, how: str) -> nw.Expr:
    reduced: dict[str, nw.Expr] = {"sum": column.sum(), "min": column.min(), "max": column.max()}
    return reduced[how]


def _distinct(question: Question, rows: Frame, column: str, prefix: str) -> Frame:
    """Count an entity's values whose newest row is within each window."""
    entity = question.view.entity
    windows = sorted({f.window_us for f in question.view.features if f.function == "nunique" and f.column == column})
    value = nw.col(column) + 0.0 if question.dtypes[column] == "number" else nw.col(column)
    recent = rows.filter(~nw.col(column).is_null(), nw.col(EVENT) >= nw.lit(question.start(windows[-1])))
    newest = recent.select(*entity, EVENT, value.alias(VALUE)).group_by(*entity, VALUE).agg(nw.col(EVENT).max())
    within = [
        nw.when(nw.col(EVENT) >= nw.lit(question.start(window)))
        .then(1)
        .otherwise(0)
        .cast(nw.Int64())
        .alias(f"{prefix}_{window}")
        for window in windows
    ]
    names = [f"{prefix}_{window}" for window in windows]
    return newest.select(*entity, *within).group_by(*entity).agg(*(nw.col(name).sum() for name in names))


def finished(question: Question, state: pa.Table) -> pa.Table:
    """Turn what an engine gave into values.

    Parameters
    ----------
    question : Question
        What was asked.
    state : pyarrow.Table
        What `state_as_of` gives, with the newest values, in any order and in the engine's own types.

    Returns
    -------
    pyarrow.Table
        Entity columns, the view's features, the derived ones last, and `__event`, each entity's newest event time;
        in the order of the keys.
    """
    view = question.view
    keys = {name: state[name].cast(ARROW_TYPES[question.dtypes[name]]) for name in view.entity}
    values = {feature.name: _value(question, feature, state) for feature in view.features}
    types = {feature.name: ARROW_TYPES[result_dtype(feature, question.dtypes)] for feature in view.features}
    made = with_derived(typed(values, types), view.derived)
    columns = {**keys, **{name: made[name] for name in view.names}, EVENT: state[EVENT].cast(TIME)}
    return pa.table(columns).sort_by([(name, "ascending") for name in view.entity])


def _value(question: Question, feature: Aggregation, state: pa.Table) -> Any:
    place = question.windows().index(feature.window_us)
    if feature.name in question.measures:
        one = question.measures[feature.name]
        return feature_values(feature, one, {name: _whole(state[f"{name}_{place}"]) for name in one.steps()})
    if feature.function == "last":
        column = question.columns("last").index(feature.column)
        happened = state[question.ends()[feature.column]].cast(TIME)
        fresh = pc.greater_equal(happened, pa.scalar(question.start(feature.window_us), TIME))
        return pc.if_else(fresh, state[f"__v{column}"], None)
    if feature.function == "nunique":
        column = question.columns("nunique").index(feature.column)
        return pa.array(_whole(state[f"__u{column}_{feature.window_us}"]))
    column = question.columns("min", "max").index(feature.column)
    return state[f"__x{column}{feature.function}_{place}"]


def _whole(column: pa.ChunkedArray) -> np.ndarray[Any, np.dtype[np.int64]]:
    numbers: np.ndarray[Any, np.dtype[np.int64]] = pc.fill_null(column.cast(pa.int64()), 0).to_numpy()
    return numbers
