"""Every function and window against a plain loop over rows."""

import math
from collections.abc import Iterator

import duckdb
import narwhals.stable.v2 as nw
import numpy as np
import pyarrow as pa
import pytest

from features.core.extremes import least_in_force
from features.core.history import view_values
from features.core.windows import Aggregation, parse_view

QUARTER_DAY_US = 21_600_000_000
COLUMNS = [("count", ""), ("sum", "v"), ("mean", "v"), ("std", "v"), ("min", "v"), ("max", "v"), ("last", "v")]
COLUMNS += [("share", "b"), ("last", "s"), ("count", "s"), ("last", "b")]
FEATURES = [
    {"name": f"{function}_{column}_{window}", "column": column, "function": function, "window": window}
    for window in ("1h", "1d", "7d")
    for function, column in COLUMNS
]
SIGNS = {">=": np.greater_equal, "<": np.less, "==": np.equal, "!=": np.not_equal, ">": np.greater, "<=": np.less_equal}
FEATURES += [
    {"name": f"share {sign}", "column": "i", "function": "share", "window": "7d", "condition": f"{sign} 2"}
    for sign in SIGNS
]
FEATURES += [{"name": "is p", "column": "s", "function": "share", "window": "7d", "condition": "== 'p'"}]
VIEW = parse_view({"name": "x", "dataset": "d", "entity": ["a", "c"], "features": FEATURES})
DTYPES = {"a": "string", "c": "integer", "v": "number", "b": "boolean", "s": "string", "i": "integer"}


def some(random: np.random.Generator, values: Iterator, share: float, kind: pa.DataType) -> pa.Array:
    return pa.array([None if random.random() < share else value for value in values], kind)


def tables(seed: int) -> tuple[pa.Table, pa.Table]:
    """Labels and events with ties, late and early knowledge, missing keys and values, and every size of number."""
    random = np.random.default_rng(seed)
    count = int(random.integers(0, 90))
    event = random.integers(0, 30, count) * QUARTER_DAY_US
    late = random.choice([-4, 0, 1, 8, 36], count) * QUARTER_DAY_US + random.integers(0, 2, count)
    scale = 10.0 ** random.integers(-12, 12)
    events = {
        "a": pa.array(random.choice(["x", "y"], count).tolist(), pa.string()),
        "c": random.integers(0, 2, count),
        "__event": event,
        "__known": event + late,
        "v": some(random, random.normal(10, 20, count) * scale, 0.2, pa.float64()),
        "b": some(random, random.random(count) < 0.5, 0.2, pa.bool_()),
        "s": some(random, random.choice(["p", "q"], count).tolist(), 0.3, pa.string()),
        "i": pa.array(random.integers(0, 5, count)),
    }
    labels = {
        "a": some(random, random.choice(["x", "y", "z"], 40).tolist(), 0.1, pa.string()),
        "c": pa.array(random.integers(0, 2, 40)),
        "__at": pa.array(random.integers(0, 45, 40) * QUARTER_DAY_US),
    }
    return pa.table(labels), pa.table(events)


def counting(label: dict, events: list[dict], feature: Aggregation) -> list[dict]:
    at = label["__at"]
    return [
        row
        for row in events
        if all(label[key] is not None and row[key] == label[key] for key in VIEW.entity)
        and at - feature.window_us <= row["__event"] < at
        and row["__known"] <= at
        and (not feature.column or row[feature.column] is not None)
    ]


def newest(rows: list[dict], column: str) -> set:
    def order(row: dict) -> tuple[int, int]:
        return row["__event"], max(row["__known"], row["__event"] + 1)

    best = max(map(order, rows))
    return {row[column] for row in rows if order(row) == best}


def holds(value: object, condition: str) -> float:
    sign, other = condition.split()
    return float(SIGNS[sign](value, float(other)) if isinstance(value, int) else value == other.strip("'"))


def expected(rows: list[dict], feature: Aggregation) -> object:
    values = [row.get(feature.column) for row in rows]
    if feature.condition:
        values = [holds(value, feature.condition) for value in values]
    if feature.function == "count":
        return len(rows)
    if not rows or (feature.function == "std" and len(rows) < 2):
        return None
    if feature.function == "last":
        return newest(rows, feature.column)
    numbers = [float(value) for value in values]
    functions = {
        "sum": math.fsum, "mean": np.mean, "share": np.mean, "min": min, "max": max,
        "std": lambda found: float(np.std(found, ddof=1)),
    }  # fmt: skip
    return functions[feature.function](numbers)


@pytest.mark.parametrize("seed", range(12))
def test_values_are_those_of_a_plain_loop(seed):
    labels, events = tables(seed)
    connection = duckdb.connect()
    found = view_values(VIEW, labels, events, DTYPES, lambda t: nw.from_native(connection.from_arrow(t)).lazy())
    largest = max((abs(value) for value in events["v"].to_pylist() if value is not None), default=1.0)
    rows = events.to_pylist()
    for feature in VIEW.features:
        tolerance = largest * (1e-8 if feature.function == "std" else 1e-12)
        for label, value in zip(labels.to_pylist(), found[feature.name].to_pylist(), strict=True):
            wanted = expected(counting(label, rows, feature), feature)
            if isinstance(wanted, set):
                assert value in wanted, (feature.name, label)
            elif wanted is None or value is None:
                assert value is wanted is None, (feature.name, label)
            else:
                assert value == pytest.approx(wanted, rel=1e-7, abs=max(tolerance, 1e-300)), (feature.name, label)
    connection.close()


def one_view(*features: dict) -> object:
    return parse_view({"name": "x", "dataset": "d", "entity": "a", "features": list(features)})


def test_equal_values_deviate_by_exactly_nothing():
    day = 86_400_000_000
    events = pa.table(
        {"a": ["x"] * 4 + ["y"], "__event": [0, 1, 2, 3, 4], "__known": [0, 1, 2, 3, 4], "v": [0.1] * 4 + [9e9]}
    )
    labels = pa.table({"a": ["x"], "__at": [day // 2]})
    view = one_view({"name": "d", "column": "v", "function": "std", "window": "1d"})
    connection = duckdb.connect()
    found = view_values(
        view, labels, events, {"v": "number"}, lambda t: nw.from_native(connection.from_arrow(t)).lazy()
    )
    assert found["d"].to_pylist() == [0.0]
    connection.close()


def test_order_of_rows_changes_no_bit():
    random = np.random.default_rng(0)
    count = 5000
    at = random.integers(0, 50, count) * QUARTER_DAY_US
    events = pa.table(
        {
            "a": random.choice(list("xyz"), count).tolist(),
            "__event": at,
            "__known": at + 5,
            "v": random.normal(size=count),
        }
    )
    labels = events.select(["a", "__event"]).rename_columns(["a", "__at"])
    view = one_view(
        {"name": "m", "column": "v", "function": "mean", "window": "3d"},
        {"name": "d", "column": "v", "function": "std", "window": "3d"},
    )
    connection = duckdb.connect()

    def values(rows: pa.Table) -> pa.Table:
        return view_values(
            view, labels, rows, {"v": "number"}, lambda t: nw.from_native(connection.from_arrow(t)).lazy()
        )

    assert values(events).equals(values(events.take(pa.array(random.permutation(count)))))
    connection.close()


def test_least_in_force_without_rows_is_missing():
    nothing = np.zeros(0, np.int64)
    assert np.isnan(least_in_force(nothing, nothing, np.zeros(0), 3)).all()


HUGE = 2**53


@pytest.mark.parametrize("function", ["sum", "mean", "min", "max", "last"])
@pytest.mark.parametrize("values", [[HUGE + 1, HUGE + 3], [1e-310, 3e-310], [1e-300, 1e308]])
def test_numbers_of_every_size_are_aggregated(function, values):
    events = pa.table({"a": ["x", "x"], "__event": [0, 1], "__known": [0, 1], "v": values})
    labels = pa.table({"a": ["x"], "__at": [10]})
    view = one_view({"name": "f", "column": "v", "function": function, "window": "1d"})
    dtype = "integer" if isinstance(values[0], int) else "number"
    with duckdb.connect() as connection:
        found = view_values(
            view, labels, events, {"v": dtype}, lambda t: nw.from_native(connection.from_arrow(t)).lazy()
        )
    wanted = {"sum": sum, "mean": np.mean, "min": min, "max": max, "last": max}
    assert found["f"].to_pylist() == [pytest.approx(float(wanted[function](values)), rel=1e-6, abs=1e-300)]


@pytest.mark.parametrize("function", ["count", "max"])
def test_large_numbers_that_name_entities_stay_apart_beside_a_missing_one(function):
    events = pa.table({"a": [HUGE, HUGE + 1], "__event": [0, 1], "__known": [0, 1], "v": [1.0, 2.0]})
    labels = pa.table({"a": [HUGE, HUGE + 1, HUGE + 2, None], "__at": [10, 10, 10, 10]})
    view = one_view({"name": "f", "column": "v", "function": function, "window": "1d"})
    with duckdb.connect() as connection:
        found = view_values(
            view, labels, events, {"v": "number"}, lambda t: nw.from_native(connection.from_arrow(t)).lazy()
        )
    assert found["f"].to_pylist() == ([1, 1, 0, 0] if function == "count" else [1.0, 2.0, None, None])
