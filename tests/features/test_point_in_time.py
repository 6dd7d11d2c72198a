"""Every function and window against a plain loop over rows."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.adapters.engine_duckdb import open_duckdb
from features.core.extremes import least_in_force
from features.core.history import view_values
from features.core.windows import parse_view
from tests.features.naive import DTYPES, EVENTS, LABELS, QUARTER_DAY_US, VIEW, assert_same, spans_of

HUGE = 2**53


def computed(view, labels, events, dtypes):
    spans = spans_of(events)
    with open_duckdb({"threads": 1}) as engine:
        return view_values(view, labels, events, dtypes, engine.frame, spans=spans, rows=events.num_rows)


def maybe(values):
    return st.none() | values


# Few entities, times a quarter of a day apart or next to one another, known early, at once or late: ties abound.
KEYS = {"a": st.sampled_from("xy"), "c": st.integers(0, 1)}
TIMES = st.builds(lambda days, more: days * QUARTER_DAY_US + more, st.integers(0, 30), st.integers(0, 1))
LATENESS = st.sampled_from([-4, 0, 1, 8, 36]).map(lambda quarters: quarters * QUARTER_DAY_US)
VALUES = {
    "v": maybe(st.floats(-1e6, 1e6) | st.sampled_from([0.0, -0.0, 0.1, 3.0])),
    "b": maybe(st.booleans()),
    "s": maybe(st.sampled_from("pq")),
    "i": maybe(st.integers(-3, 5)),
}
EVENT = st.fixed_dictionaries({**KEYS, "__event": TIMES, "__known": st.tuples(LATENESS, st.integers(0, 2)), **VALUES})
LABEL = st.fixed_dictionaries(
    {"a": maybe(st.sampled_from("xyz")), "c": maybe(KEYS["c"]), "__at": TIMES.map(lambda time: time + QUARTER_DAY_US)}
)


def table(rows, schema):
    return pa.Table.from_pylist(rows, schema)


@settings(max_examples=100, deadline=None)
@given(labels=st.lists(LABEL, max_size=12), events=st.lists(EVENT, max_size=25))
def test_values_are_those_of_a_plain_loop(labels, events):
    events = [{**row, "__known": row["__event"] + sum(row["__known"])} for row in events]
    events, labels = table(events, EVENTS), table(labels, LABELS)
    assert_same(computed(VIEW, labels, events, DTYPES), labels, events)


@settings(max_examples=50, deadline=None)
@given(labels=st.lists(LABEL, max_size=12), events=st.lists(EVENT, max_size=25))
def test_values_of_rows_known_at_once_are_those_of_a_plain_loop(labels, events):
    events = table([{**row, "__known": row["__event"]} for row in events], EVENTS)
    labels = table(labels, LABELS)
    assert_same(computed(VIEW, labels, events, DTYPES), labels, events)


def one_view(*features):
    return parse_view({"name": "x", "dataset": "d", "entity": "a", "features": list(features)})


def test_equal_values_deviate_by_exactly_nothing():
    events = pa.table({"a": ["x"] * 4 + ["y"], "__event": range(5), "__known": range(5), "v": [0.1] * 4 + [9e9]})
    labels = pa.table({"a": ["x"], "__at": [2 * QUARTER_DAY_US]})
    view = one_view({"name": "d", "column": "v", "function": "std", "window": "1d"})
    assert computed(view, labels, events, {"v": "number"})["d"].to_pylist() == [0.0]


def test_one_huge_value_takes_no_digit_from_the_others():
    values = [0.1, 0.2, 0.7, 1e13]
    events = pa.table({"a": [*"xxx", "y"], "__event": range(4), "__known": range(4), "v": values})
    labels = pa.table({"a": ["x"], "__at": [10]})
    view = one_view({"name": "s", "column": "v", "function": "sum", "window": "1d"})
    assert computed(view, labels, events, {"v": "number"})["s"].to_pylist() == [pytest.approx(1.0, rel=1e-9)]


def test_order_of_rows_changes_no_bit():
    random = np.random.default_rng(0)
    count = 5000
    at = random.integers(0, 50, count) * QUARTER_DAY_US
    entities = random.choice(list("xyz"), count).tolist()
    events = pa.table({"a": entities, "__event": at, "__known": at + 5, "v": random.normal(size=count)})
    labels = events.select(["a", "__event"]).rename_columns(["a", "__at"])
    functions = ("mean", "std", "last", "min", "nunique")
    view = one_view(*({"name": f, "column": "v", "function": f, "window": "3d"} for f in functions))
    shuffled = events.take(pa.array(random.permutation(count)))
    first, again = (computed(view, labels, rows, {"v": "number"}) for rows in (events, shuffled))
    assert first.equals(again)


def test_least_in_force_without_rows_is_missing():
    nothing = np.zeros(0, np.int64)
    assert np.isnan(least_in_force(nothing, nothing, np.zeros(0), 3)).all()


@pytest.mark.parametrize("function", ["sum", "mean", "min", "max", "last"])
@pytest.mark.parametrize("values", [[HUGE + 1, HUGE + 3], [1e-310, 3e-310], [1e-300, 1e308]])
def test_numbers_of_every_size_are_aggregated(function, values):
    events = pa.table({"a": ["x", "x"], "__event": [0, 1], "__known": [0, 1], "v": values})
    labels = pa.table({"a": ["x"], "__at": [10]})
    view = one_view({"name": "f", "column": "v", "function": function, "window": "1d"})
    dtype = "integer" if isinstance(values[0], int) else "number"
    found = computed(view, labels, events, {"v": dtype})
    wanted = {"sum": sum, "mean": np.mean, "min": min, "max": max, "last": max}
    assert found["f"].to_pylist() == [pytest.approx(float(wanted[function](values)), rel=1e-6, abs=1e-300)]


@pytest.mark.parametrize("function", ["count", "max"])
def test_large_numbers_that_name_entities_stay_apart_beside_a_missing_one(function):
    events = pa.table({"a": [HUGE, HUGE + 1], "__event": [0, 1], "__known": [0, 1], "v": [1.0, 2.0]})
    labels = pa.table({"a": [HUGE, HUGE + 1, HUGE + 2, None], "__at": [10, 10, 10, 10]})
    view = one_view({"name": "f", "column": "v", "function": function, "window": "1d"})
    found = computed(view, labels, events, {"v": "number"})
    assert found["f"].to_pylist() == ([1, 1, 0, 0] if function == "count" else [1.0, 2.0, None, None])
