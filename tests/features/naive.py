"""Feature values by a plain loop over rows, and random labels and rows to hold them against."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from features.core.aggregations import Aggregation
from features.core.grid import Span
from features.core.windows import ViewDefinition, parse_view

QUARTER_DAY_US = 21_600_000_000
FUNCTIONS = [("count", ""), ("sum", "v"), ("mean", "v"), ("std", "v"), ("min", "v"), ("max", "v"), ("last", "v")]
FUNCTIONS += [("share", "b"), ("last", "s"), ("count", "s"), ("last", "b"), ("sum", "i"), ("std", "b"), ("max", "i")]
FUNCTIONS += [("nunique", column) for column in "sivb"] + [("sum", "b"), ("last", "i")]
FEATURES = [
    {"name": f"{function}_{column}_{window}", "column": column, "function": function, "window": window}
    for window in ("1h", "1d", "7d")
    for function, column in FUNCTIONS
]
SIGNS = {">=": np.greater_equal, "<": np.less, "==": np.equal, "!=": np.not_equal, ">": np.greater, "<=": np.less_equal}
FEATURES += [
    {"name": f"share {sign}", "column": "i", "function": "share", "window": "7d", "condition": f"{sign} 2"}
    for sign in SIGNS
]
FEATURES += [{"name": "is p", "column": "s", "function": "share", "window": "7d", "condition": "== 'p'"}]
DERIVED = [
    {"name": "per_row", "expression": "sum_v_7d / count__7d"},
    {"name": "spread", "expression": "where(max_v_7d > min_v_7d, max_v_7d - min_v_7d, 0)"},
    {"name": "any_spread", "expression": "coalesce(spread, -1) > 0"},
]
VIEW = parse_view({"name": "x", "dataset": "d", "entity": ["a", "c"], "features": FEATURES, "derived": DERIVED})
DTYPES: dict[str, Any] = {"a": "string", "c": "integer", "v": "number", "b": "boolean", "s": "string", "i": "integer"}
EVENTS = pa.schema({
    "a": pa.string(), "c": pa.int64(), "__event": pa.int64(), "__known": pa.int64(),
    "v": pa.float64(), "b": pa.bool_(), "s": pa.string(), "i": pa.int64(),
})  # fmt: skip
LABELS = pa.schema([("a", pa.string()), ("c", pa.int64()), ("__at", pa.int64())])


def spans_of(events: pa.Table) -> dict[str, Span]:
    """Return the spans of a table's numbers, as a dataset's statistics would."""
    found = {}
    for name in events.column_names:
        if pa.types.is_integer(events[name].type) or pa.types.is_floating(events[name].type):
            ends = pc.min_max(events[name].cast(pa.float64(), safe=False)).as_py()
            missing = events[name].null_count > 0
            found[name] = Span(low=ends["min"] or 0.0, high=ends["max"] or 0.0, missing=missing)
    return found


def counting(view: ViewDefinition, label: dict, events: list[dict], feature: Aggregation) -> list[dict]:
    """Return the rows that count for a label."""
    at = label["__at"]
    return [
        row
        for row in events
        if all(label[key] is not None and row[key] == label[key] for key in view.entity)
        and at - feature.window_us <= row["__event"] < at
        and row["__known"] <= at
        and (not feature.column or row[feature.column] is not None)
    ]


def newest(rows: list[dict], column: str) -> Any:
    """Return the newest value; of equal times the one known last, of equals in that too the greatest."""
    order = [(row["__event"], max(row["__known"], row["__event"] + 1), row[column]) for row in rows]
    return max(order)[-1]


def holds(value: object, condition: str) -> float:
    sign, other = condition.split()
    return float(SIGNS[sign](value, float(other)) if isinstance(value, int) else value == other.strip("'"))


def expected(rows: list[dict], feature: Aggregation) -> Any:
    """Return a feature's value for the rows that count."""
    values = [row.get(feature.column) for row in rows]
    if feature.condition:
        values = [holds(value, feature.condition) for value in values]
    if feature.function in ("count", "nunique"):
        return len(rows) if feature.function == "count" else len(set(values))
    if not rows or (feature.function == "std" and len(rows) < 2):
        return None
    if feature.function == "last":
        return newest(rows, feature.column)
    numbers = [float(value) for value in values]
    functions: dict[str, Callable] = {
        "sum": math.fsum, "mean": np.mean, "share": np.mean, "min": min, "max": max,
        "std": lambda found: float(np.std(found, ddof=1)),
    }  # fmt: skip
    return functions[feature.function](numbers)


def derived(row: dict) -> dict:
    """Return the derived features of VIEW."""
    total, count = row["sum_v_7d"], row["count__7d"]
    spread = None if row["max_v_7d"] is None else row["max_v_7d"] - row["min_v_7d"]
    per_row = None if total is None or not count else total / count
    return {"per_row": per_row, "spread": spread, "any_spread": (-1 if spread is None else spread) > 0}


def assert_same(found: pa.Table, labels: pa.Table, events: pa.Table) -> None:
    """Hold the values of VIEW against the plain loop."""
    rows = events.to_pylist()
    largest = max((abs(value) for value in events["v"].to_pylist() if value is not None), default=1.0)
    for label, values in zip(labels.to_pylist(), found.to_pylist(), strict=True):
        assert {name: values[name] for name in ("per_row", "spread", "any_spread")} == derived(values)
        for feature in VIEW.features:
            wanted, value = expected(counting(VIEW, label, rows, feature), feature), values[feature.name]
            if wanted is None or not isinstance(wanted, float) or feature.function in ("last", "min", "max"):
                assert value == wanted, (feature.name, label)
            else:
                # A deviation is measured in steps of the column's span, a sum far finer.
                near = max(largest * (1e-8 if feature.function == "std" and feature.column == "v" else 1e-15), 1e-300)
                assert value == pytest.approx(wanted, rel=1e-9, abs=near), (feature.name, label)
