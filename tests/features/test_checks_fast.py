"""The quick look at whole columns finds what pandera, left alone, finds value by value."""

from datetime import UTC, datetime

import pandera.pandas as pandera
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.core.checks import RowChecker
from features.core.column_rules import frame_of, pandera_schema
from features.core.schema import arrow_schema, parse_columns

BIG = 2**62
NUMBERS = st.one_of(st.floats(-10, 10), st.sampled_from([0.0, -0.0, 1e300, 5e-324]))
INTEGERS = st.one_of(st.integers(-5, 5), st.integers(BIG - 3, BIG + 3))
TIMES = st.datetimes(datetime(2013, 1, 1), datetime(2013, 1, 3), timezones=st.just(UTC))
WORDS = st.one_of(
    st.sampled_from(["a", "b", "AA", "A1", "", "a\n", "é"]), st.text(st.characters(codec="utf-8"), max_size=4)
)
BOUNDS = {"number": st.floats(-9, 9), "integer": st.sampled_from([-3, 0.5, 2, BIG, BIG + 1]), "timestamp": TIMES}
VALUES = {"number": NUMBERS, "integer": INTEGERS, "timestamp": TIMES, "boolean": st.booleans(), "string": WORDS}


@st.composite
def columns(draw, name):
    dtype = draw(st.sampled_from(sorted(VALUES)))
    item = {"name": name, "dtype": dtype, "nullable": draw(st.booleans())}
    if dtype in BOUNDS:
        low, high = sorted([draw(BOUNDS[dtype]), draw(BOUNDS[dtype])])
        item |= {"min": draw(st.sampled_from([low, None])), "max": draw(st.sampled_from([high, None]))}
    if dtype != "timestamp" and draw(st.booleans()):
        # What it may hold is of what it does hold, mostly.
        clean = WORDS.filter(lambda word: "\x00" not in word) if dtype == "string" else VALUES[dtype]
        item["allowed"] = draw(st.lists(clean, min_size=1, max_size=3))
    if dtype == "string" and draw(st.booleans()):
        item["pattern"] = draw(st.sampled_from(["[A-Z]+", "a|b", ".*", r"\w\d?", "(?i)aa", ""])) or None
    return item


@st.composite
def contracts_and_rows(draw):
    contract = parse_columns([draw(columns(name)) for name in ("x", "y")])
    count = draw(st.integers(0, 8))
    made = {
        column.name: draw(
            st.lists(st.one_of(VALUES[column.dtype].filter(lambda v: v != "" and "\x00" not in str(v)), st.none()),
                     min_size=count, max_size=count)
        )
        for column in contract
    }  # fmt: skip
    return contract, pa.Table.from_pydict(made, schema=arrow_schema(contract))


def plain_pandera(contract, table):
    try:
        pandera_schema(contract).validate(frame_of(table), lazy=True)
    except pandera.errors.SchemaErrors as found:
        cases = found.failure_cases[["index", "column", "check"]].itertuples(index=False, name=None)
        return {(int(row), name, rule.replace("not_nullable", "missing_value")) for row, name, rule in cases}
    return set()


@settings(max_examples=150, deadline=None)
@given(contracts_and_rows())
def test_quick_look_finds_what_pandera_finds(asked):
    contract, table = asked
    found = RowChecker(contract).check(table)
    assert {(fault.row, fault.column, fault.rule) for fault in found.faults} == plain_pandera(contract, table)
    assert len(found.faults) == len({(f.row, f.column, f.rule) for f in found.faults})
    assert found.valid.tolist() == [all(f.row != row for f in found.faults) for row in range(len(table))]


def test_whole_numbers_are_compared_to_the_last_digit():
    columns = parse_columns([{"name": "n", "dtype": "integer", "max": BIG}])
    found = RowChecker(columns).check(pa.table({"n": pa.array([BIG, BIG + 1, None])}))
    assert [(fault.row, fault.value) for fault in found.faults] == [(1, str(BIG + 1))]


@pytest.mark.parametrize("item", [{"min": "2013-01-02"}, {"max": "2013-01-02T00:00:00Z"}])
def test_times_have_bounds(item):
    columns = parse_columns([{"name": "t", "dtype": "timestamp", **item}])
    found = RowChecker(columns).check(
        pa.table({"t": ["2013-01-01T12:00:00Z", "2013-01-02", "2013-01-02T01:00:00+01:00"]})
    )
    late = "max" in item
    assert [(fault.row, fault.rule) for fault in found.faults] == ([] if late else [(0, "below_minimum")])
    if not late:
        assert found.faults[0].value == "2013-01-01T12:00:00Z"


def test_a_pattern_is_met_by_the_whole_text_and_can_not_hang():
    columns = parse_columns([{"name": "s", "dtype": "string", "pattern": "(a+)+b?"}])
    found = RowChecker(columns).check(pa.table({"s": ["aab", "aabc", "aa\n", "a" * 50_000 + "!", None]}))
    assert [(fault.row, fault.rule) for fault in found.faults] == [(row, "pattern_not_met") for row in (1, 2, 3)]


def test_values_about_persons_are_hidden():
    columns = parse_columns([{"name": "n", "dtype": "integer", "max": 5, "pii": True}])
    found = RowChecker(columns).check(pa.table({"n": ["secret", "123"]}))
    assert [(fault.rule, fault.value) for fault in found.faults] == [
        ("not_integer", "(hidden)"),
        ("above_maximum", "(hidden)"),
    ]


def test_repeated_values_are_named_by_their_row_in_the_source():
    columns = parse_columns([{"name": "k", "dtype": "string", "unique": True, "pattern": "."}])
    checker = RowChecker(columns, {"k": pa.array([12]).to_numpy()})
    found = checker.check(pa.table({"k": ["a", "bb"]}), pa.array([11, 12]).to_numpy())
    assert [(f.row, f.rule, f.value) for f in found.faults] == [(1, "pattern_not_met", "bb"), (1, "not_unique", "bb")]
