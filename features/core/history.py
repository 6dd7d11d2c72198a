"""All features of one view for a set of labels: the sums and newest values in narwhals, the extremes in numpy."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from features.core.extremes import least_in_force
from features.core.measures import feature_values, measure
from features.core.point_in_time import AT, EVENT, KNOWN, RANK, ROW, in_force, newest_known, ranked
from features.core.schema import ARROW_TYPES, Dtype
from features.core.windows import Aggregation, ViewDefinition, result_dtype

Frames = Callable[[pa.Table], nw.LazyFrame[Any]]
IntArray = npt.NDArray[np.int64]
SUMMED = ("count", "sum", "mean", "share", "std")


def view_values(
    view: ViewDefinition, labels: pa.Table, events: pa.Table, dtypes: Mapping[str, Dtype], frames: Frames
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

    Returns
    -------
    pyarrow.Table of n rows
        The view's features, in their order and in the order of the labels.
    """
    # A row that was known before it happened counts from the moment after it happened.
    known = pc.max_element_wise(events[KNOWN], pc.add(events[EVENT], 1))
    events = events.set_column(events.column_names.index(KNOWN), KNOWN, known)
    labels = labels.append_column(ROW, pa.array(np.arange(labels.num_rows)))
    lazy_labels, lazy_events = frames(labels), frames(events)
    values: dict[str, pa.ChunkedArray] = {}
    for window in dict.fromkeys(feature.window for feature in view.features):
        wanted = [f for f in view.features if f.window == window and f.function in SUMMED]
        values |= _sums(view, wanted, lazy_labels, lazy_events, events, dtypes)
    values |= _newest(view, lazy_labels, lazy_events, labels)
    values |= _extremes(view, labels, events)
    types = {feature.name: ARROW_TYPES[result_dtype(feature, dtypes)] for feature in view.features}
    return pa.table({name: values[name].cast(kind) for name, kind in types.items()})


def _sums(
    view: ViewDefinition,
    wanted: Sequence[Aggregation],
    labels: nw.LazyFrame[Any],
    events: nw.LazyFrame[Any],
    table: pa.Table,
    dtypes: Mapping[str, Dtype],
) -> dict[str, pa.ChunkedArray]:
    if not wanted:
        return {}
    summed = dict.fromkeys((f.column, f.condition) for f in wanted if f.function != "count")
    counted = dict.fromkeys((f.column, "") for f in wanted if f.function == "count")
    squared = {(f.column, f.condition) for f in wanted if f.function == "std"}
    keys = enumerate(dict.fromkeys([*summed, *counted]))
    measures = {key: measure(key, f"__m{place}", table, dtypes.get(key[0], "")) for place, key in keys}
    counts = {one.counted_by: one.count() for one in measures.values()}
    sums = [expr for key in summed for expr in measures[key].sums(squares=key in squared)]
    prepared = events.select(*view.entity, EVENT, KNOWN, *counts.values(), *sums)
    held = _ordered(in_force(labels, prepared, entity=view.entity, window_us=wanted[0].window_us))
    return {f.name: feature_values(f, measures[f.column, f.condition], held) for f in wanted}


def _ordered(frame: nw.DataFrame[Any]) -> pa.Table:
    table = frame.to_native()
    return table.take(pc.sort_indices(table[ROW]))


def _newest(
    view: ViewDefinition, labels: nw.LazyFrame[Any], events: nw.LazyFrame[Any], asked: pa.Table
) -> dict[str, pa.ChunkedArray]:
    wanted = [feature for feature in view.features if feature.function == "last"]
    if not wanted:
        return {}
    columns = sorted({feature.column for feature in wanted})
    numbered = ranked(events, entity=view.entity, columns=columns)
    rows = numbered.sort(RANK).collect("pyarrow").to_native()
    found = _ordered(newest_known(labels, numbered, entity=view.entity, columns=columns))
    values = {}
    for feature in wanted:
        place = pc.if_else(pc.greater_equal(found[feature.column], 0), found[feature.column], None)
        row = rows.select(dict.fromkeys([*view.entity, EVENT, feature.column])).take(place)
        fresh = pc.greater_equal(row[EVENT], pc.subtract(asked[AT], feature.window_us))
        for name in view.entity:
            fresh = pc.and_(fresh, pc.equal(row[name], asked[name]))
        values[feature.name] = pc.if_else(fresh, row[feature.column], None)
    return values


def _extremes(view: ViewDefinition, labels: pa.Table, events: pa.Table) -> dict[str, pa.ChunkedArray]:
    wanted = [feature for feature in view.features if feature.function in ("min", "max")]
    if not wanted:
        return {}
    label_codes, event_codes = _codes(view.entity, labels, events)
    at, event, known = (_numpy(table, name) for table, name in ((labels, AT), (events, EVENT), (events, KNOWN)))
    order = np.lexsort((at, label_codes))
    found = {}
    for feature in wanted:
        values = events[feature.column].cast(pa.float64(), safe=False)
        used = pc.is_valid(values).to_numpy()
        first, end = _ranges(
            (label_codes[order], at[order]), event_codes[used], known[used], (event + feature.window_us)[used]
        )
        sign = 1.0 if feature.function == "min" else -1.0
        least = least_in_force(first, end, sign * values.drop_null().to_numpy(), len(order))
        result = np.empty(len(order))
        result[order] = sign * least
        found[feature.name] = pa.chunked_array([pa.array(result, mask=np.isnan(result))])
    return found


def _numpy(table: pa.Table, name: str) -> IntArray:
    values: IntArray = table[name].to_numpy()
    return values


def _codes(entity: Sequence[str], labels: pa.Table, events: pa.Table) -> tuple[IntArray, IntArray]:
    """Number the entities of both tables alike; a missing key is an entity without rows."""
    codes = np.zeros(labels.num_rows + events.num_rows, np.int64)
    for name in entity:
        both = pa.chunked_array([*labels[name].chunks, *events[name].chunks], labels[name].type)
        # Not by way of floats, which a missing key would make of whole numbers: large ones would run together.
        part = pc.fill_null(both.dictionary_encode().combine_chunks().indices, -1).to_numpy().astype(np.int64)
        codes = np.unique(codes * (part.max(initial=0) + 2) + part + 1, return_inverse=True)[1]
    return codes[: labels.num_rows], codes[labels.num_rows :]


def _ranges(
    labels: tuple[IntArray, IntArray], codes: IntArray, begins: IntArray, ends: IntArray
) -> tuple[IntArray, IntArray]:
    """Return which labels, sorted by entity and time, each row is in force for."""
    label_codes, at = labels
    times = np.unique(at)
    width = len(times) + 2
    keys = label_codes * width + np.searchsorted(times, at)
    first = np.searchsorted(keys, codes * width + np.searchsorted(times, begins, side="left"), side="left")
    end = np.searchsorted(keys, codes * width + np.searchsorted(times, ends, side="right"), side="left")
    return first, np.maximum(end, first)
