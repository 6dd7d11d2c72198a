"""All features of one view for a set of labels, each as of its own time."""

from collections.abc import Mapping

import narwhals.stable.v2 as nw
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.core.evaluate import with_derived
from features.core.grid import Span
from features.core.in_force import Newest, distinct, least
from features.core.measures import Measure, feature_values, measures_of
from features.core.point_in_time import Frames, IntArray, Matched, entity_starts, match
from features.core.schema import ARROW_TYPES, Dtype
from features.core.windows import ViewDefinition, result_dtype

SIGNS = {"min": 1.0, "max": -1.0}


def view_values(
    view: ViewDefinition,
    labels: pa.Table,
    events: pa.Table,
    dtypes: Mapping[str, Dtype],
    frames: Frames,
    *,
    spans: Mapping[str, Span],
    rows: int,
) -> pa.Table:
    """Compute a view's features as of each label's own time.

    Parameters
    ----------
    view : ViewDefinition
        What to compute.
    labels : pyarrow.Table of n rows
        Entity columns and `__at`, the asking time in microseconds.
    events : pyarrow.Table
        Entity columns, `__event` and `__known` in microseconds, and the aggregated columns; no missing key or time.
    dtypes : mapping of name to dtype
        The dtypes of the view's dataset.
    frames : callable
        Hands a table to the engine and returns a lazy frame of it.
    spans : mapping of name to Span
        Of the columns that are summed, in the whole dataset.
    rows : int
        Rows of the whole dataset.

    Returns
    -------
    pyarrow.Table of n rows
        The view's features, in their order and in the order of the labels, the derived ones last.
    """
    windows = list(dict.fromkeys(feature.window_us for feature in view.features))
    ranges = any(feature.function in SIGNS for feature in view.features)
    matched = match(labels, events, entity=view.entity, windows_us=windows, ranges=ranges, frames=frames)
    values = _summed(view, measures_of(view, dtypes, spans, rows), events, matched)
    values |= _held(view, events, matched)
    types = {feature.name: ARROW_TYPES[result_dtype(feature, dtypes)] for feature in view.features}
    return with_derived(typed({name: values[name] for name in types}, types), view.derived)


def typed(values: Mapping[str, pa.Array | pa.ChunkedArray], types: Mapping[str, pa.DataType]) -> pa.Table:
    """Return values as columns of their types.

    Parameters
    ----------
    values : mapping of name to array
        The columns.
    types : mapping of name to data type
        Theirs.

    Returns
    -------
    pyarrow.Table
        Without negative zeros: which of two zeros is newer may hang on their order.
    """
    table = {name: values[name].cast(kind) for name, kind in types.items()}
    return pa.table({k: pc.add(v, 0.0) if pa.types.is_floating(types[k]) else v for k, v in table.items()})


def _held(view: ViewDefinition, events: pa.Table, matched: Matched) -> dict[str, pa.Array]:
    """Compute what is no sum: newest and extreme values, numbers of different values."""
    functions = {feature.function for feature in view.features}
    newest = Newest(events, matched, view.entity) if "last" in functions else None
    starts = entity_starts(events, matched.order, view.entity) if "nunique" in functions else None
    found = {}
    for feature in view.features:
        column, window = feature.column, feature.window_us
        if feature.function == "last" and newest is not None:
            found[feature.name] = newest.values(column, window)
        elif feature.function == "nunique" and starts is not None:
            found[feature.name] = distinct(events[column], matched, starts, window)
        elif feature.function in SIGNS:
            values = events[column].cast(pa.int8()) if pa.types.is_boolean(events[column].type) else events[column]
            numbers = values.cast(pa.float64(), safe=False)
            found[feature.name] = least(numbers, matched, window, sign=SIGNS[feature.function])
    return found


def _summed(
    view: ViewDefinition, measures: Mapping[str, Measure], events: pa.Table, matched: Matched
) -> dict[str, pa.Array]:
    """Sum all that is summed, once for each window."""
    steps = {name: expr for one in measures.values() for name, expr in one.steps().items()}
    if not steps:
        return {}
    # With a column of all rows beside them, sums of a constant are as long as the table.
    rows = _rounded(events, measures).append_column("__row", pa.array(np.arange(events.num_rows)))
    table: pa.Table = nw.from_native(rows, eager_only=True).select("__row", *steps.values()).to_native()
    summable: dict[str, IntArray] = {name: table[name].to_numpy() for name in steps}
    found: dict[str, pa.Array] = {}
    for window in dict.fromkeys(f.window_us for f in view.features if f.name in measures):
        wanted = [f for f in view.features if f.name in measures and f.window_us == window]
        names = {name for f in wanted for name in measures[f.name].steps()}
        # Known only when its window had passed, a row never counts.
        counts = matched.known <= matched.event + window
        parts = {name: summable[name] if counts.all() else np.where(counts, summable[name], 0) for name in names}
        held = {name: matched.over(part, part, window) for name, part in parts.items()}
        found |= {f.name: feature_values(f, measures[f.name], held) for f in wanted}
    return found


def _rounded(events: pa.Table, measures: Mapping[str, Measure]) -> pa.Table:
    """Make floats of whole numbers that are summed as such; Arrow by itself refuses those a float doesn't hold."""
    for name in {one.column for one in measures.values() if one.column and (one.grid.low_bits or one.squared)}:
        if pa.types.is_integer(events[name].type):
            place = events.column_names.index(name)
            events = events.set_column(place, name, events[name].cast(pa.float64(), safe=False))
    return events
