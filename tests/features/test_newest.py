"""Newest values of columns with and without missing ones, and the sums of squares that deviations are made of."""

from datetime import UTC, datetime, timedelta

import narwhals.stable.v2 as nw
import numpy as np
import polars
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.adapters.engine_duckdb import open_duckdb
from features.adapters.engine_polars import open_engine as open_polars
from features.core.as_of import EVENT, KNOWN, Question, finished, state_as_of, usable_rows
from features.core.grid import HALF, Span
from features.core.measures import measures_of
from features.core.newest import with_newest
from features.core.windows import parse_view

START = datetime(2026, 3, 1, tzinfo=UTC)
DTYPES = {"e": "integer", "x": "number", "s": "string"}
FEATURES = [
    {"name": f"{column}{window}", "column": column, "function": "last", "window": window}
    for column in "xs"
    for window in ("1d", "3d")
]
VIEW = parse_view({"name": "v", "dataset": "d", "entity": "e", "features": FEATURES})
# Entity, day it happened, days until it was known, x, s. What is newest: of 1 the row known last, of 2 the greatest
# value, of 3 for s an earlier row than for x, of 4 nothing that is fresh enough, of 5 one that is older than all of s.
ROWS = [
    (1, 8.5, 0.5, 1.0, "a"), (1, 8.5, 0.2, 9.0, "z"), (1, 8.0, 0.0, 5.0, "q"),
    (2, 9.5, 0.0, -3.0, "b"), (2, 9.5, 0.0, -2.0, "c"), (2, 9.9, 0.5, 7.0, "late"),
    (3, 9.8, 0.0, 4.0, None), (3, 9.1, 0.0, 3.0, "d"), (4, 2.0, 0.0, 8.0, "e"), (5, 7.9, 0.0, 6.0, None),
]  # fmt: skip
FOUND = {
    "x1d": [None, -2.0, 4.0, None, None], "x3d": [1.0, -2.0, 4.0, None, 6.0],
    "s1d": [None, "c", "d", None, None], "s3d": ["a", "c", "d", None, None],
}  # fmt: skip
MOMENT = START + timedelta(days=10)


@pytest.mark.parametrize("engine", [lambda: open_duckdb({}), open_polars])
@pytest.mark.parametrize("full", [frozenset({"x"}), frozenset()])
def test_the_newest_value_is_of_the_newest_row_then_of_what_was_known_last_then_the_greatest(engine, full):
    entity, day, lag, x, s = (list(column) for column in zip(*ROWS, strict=True))
    times = {EVENT: [START + timedelta(days=one) for one in day]}
    times[KNOWN] = [at + timedelta(days=late) for at, late in zip(times[EVENT], lag, strict=True)]
    kind = pa.timestamp("us", tz="UTC")
    table = pa.table({"e": entity, "x": x, "s": s, **{name: pa.array(at, kind) for name, at in times.items()}})
    question = Question(view=VIEW, moment=MOMENT, measures={}, dtypes=DTYPES, full=full)
    with engine() as opened:
        rows = usable_rows(question, opened.frame(table))
        state = state_as_of(question, rows).collect("pyarrow").to_native()
        found = finished(question, with_newest(question, state, rows, opened.frame))
    assert found.select(list(FOUND)).to_pydict() == FOUND


@given(st.lists(st.floats(-1e6, 1e6), min_size=1), st.integers(-30, 30))
def test_halves_of_squares_make_up_the_whole_square_to_the_last_bit(values, exponent):
    numbers = np.array(values) * 2.0**exponent
    view = parse_view({
        "name": "v", "dataset": "d", "entity": "e",
        "features": [{"name": "f", "column": "x", "function": "std", "window": "1d"}],
    })  # fmt: skip
    span = Span(low=numbers.min(), high=numbers.max(), missing=False)
    steps = measures_of(view, DTYPES, {"x": span}, len(values))["f"].steps()
    found = nw.from_native(polars.DataFrame({"x": numbers}), eager_only=True).select(*steps.values())
    for whole, high, low in zip(*(found[f"__m0{name}"].to_list() for name in "dhl"), strict=True):
        assert high * HALF + low == whole * whole
        assert abs(low) <= 2 * HALF
