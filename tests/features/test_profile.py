"""Profiles: what is counted, and what is worth telling when it changes."""

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.actions.ingest import ingest
from features.adapters import profiling
from features.adapters.profiles import changes_since, stored_profile
from features.adapters.profiling import profile_rows
from features.core.profile import ColumnSummary, profile_changes
from features.core.schema import arrow_schema, parse_columns
from features.models import DatasetVersion

pytestmark = pytest.mark.usefixtures("var_dir")
COLUMNS = parse_columns(
    [
        {"name": 'n"; drop', "dtype": "number"},
        {"name": "i", "dtype": "integer"},
        {"name": "t", "dtype": "timestamp"},
        {"name": "s", "dtype": "string"},
        {"name": "b", "dtype": "boolean"},
        {"name": "p", "dtype": "number", "pii": True},
    ]
)


def summaries(tmp_path, rows, columns=COLUMNS):
    table = pa.Table.from_pylist(rows, arrow_schema(columns))
    with pa.ipc.new_file(tmp_path / "rows.arrow", table.schema) as file:
        file.write_table(table, max_chunksize=3)
    return {one.column: one for one in profile_rows(tmp_path / "rows.arrow", columns)}


def test_each_kind_of_column_has_its_own_facts(tmp_path):
    when = datetime(2013, 1, 1, tzinfo=UTC)
    rows = [{'n"; drop': n / 2, "i": n, "t": when, "s": "ab"[n % 2], "b": n > 2, "p": 1.0} for n in range(5)]
    found = summaries(tmp_path, [*rows, dict.fromkeys(rows[0])])
    number, integer, time, text, truth, person = found.values()
    assert (number.rows, number.missing, number.distinct, number.minimum, number.maximum) == (6, 1, 5, "0.0", "2.0")
    assert (number.mean, integer.quantiles["0.5"], integer.minimum) == (1.0, 2, "0")
    assert integer.histogram == {"edges": [0.0, 1.0, 2.0, 3.0, 4.0, 5.0], "counts": [1, 1, 1, 1, 1]}
    assert (time.minimum, time.quantiles["0.99"], time.mean) == ("2013-01-01T00:00:00Z", "2013-01-01T00:00:00Z", None)
    assert time.histogram["counts"] == [5]
    assert text.histogram == {"values": ["a", "b"], "counts": [3, 2], "other": 0}
    assert (truth.histogram["values"], truth.minimum) == ([False, True], "false")
    assert (person.rows, person.missing, person.distinct) == (6, 1, 1)
    assert (person.minimum, person.maximum, person.mean, person.quantiles, person.histogram) == ("", "", None, {}, {})


NUMBERS = st.lists(st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False)), min_size=1, max_size=30)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(NUMBERS)
def test_numbers_of_every_size_are_counted_as_numpy_counts_them(tmp_path, values):
    columns = parse_columns([{"name": "x", "dtype": "number"}])
    found = summaries(tmp_path, [{"x": value} for value in values], columns)["x"]
    present = np.array([value for value in values if value is not None])
    assert (found.rows, found.missing, found.distinct) == (len(values), len(values) - len(present), len(set(present)))
    if len(present):
        assert (float(found.minimum), float(found.maximum)) == (present.min(), present.max())
        assert sum(found.histogram["counts"]) == len(present)
        edges = found.histogram["edges"]
        assert edges == sorted(edges)
        assert len(edges) <= 21
        assert edges[0] <= present.min() <= present.max() <= edges[-1]
        assert found.quantiles["0.5"] in present
        # A sum beyond the greatest number is none.
        if found.mean is not None or abs(present).max() < 1e300:
            assert found.mean == pytest.approx(present.mean(), rel=1e-9, abs=abs(present).max() * 1e-9)


def test_the_greatest_numbers_have_a_profile(tmp_path):
    columns = parse_columns([{"name": "x", "dtype": "number"}])
    greatest = float(np.finfo(float).max)
    for values in ([greatest], [-greatest], [greatest, -greatest], [greatest] * 3, [0.0], [-0.0, 5e-324]):
        found = summaries(tmp_path, [{"x": value} for value in values], columns)["x"]
        assert sum(found.histogram["counts"]) == len(values)
        assert found.histogram["edges"] == sorted(set(found.histogram["edges"]))


def test_integers_at_the_ends_of_64_bits_have_a_profile(tmp_path):
    columns = parse_columns([{"name": "x", "dtype": "integer"}])
    ends = [-(2**63), 2**63 - 1]
    found = summaries(tmp_path, [{"x": value} for value in ends], columns)["x"]
    assert [found.minimum, found.maximum] == list(map(str, ends))
    assert sum(found.histogram["counts"]) == 2
    found = summaries(tmp_path, [{"x": 2**62}], columns)["x"]
    assert found.histogram["counts"] == [1]


def test_texts_alone_have_a_profile(tmp_path):
    columns = parse_columns([{"name": "s", "dtype": "string"}])
    assert summaries(tmp_path, [{"s": "a"}, {"s": None}], columns)["s"].histogram["counts"] == [1]


def test_the_first_and_last_times_have_a_profile(tmp_path):
    columns = parse_columns([{"name": "t", "dtype": "timestamp"}])
    ends = [datetime(1, 1, 1, tzinfo=UTC), datetime.max.replace(tzinfo=UTC)]
    found = summaries(tmp_path, [{"t": value} for value in ends], columns)["t"]
    assert (found.minimum, found.maximum) == ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z")
    assert summaries(tmp_path, [{"t": ends[1]}], columns)["t"].histogram["counts"] == [1]


def test_what_is_estimated_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(profiling, "EXACT_DISTINCT", 100)
    monkeypatch.setattr(profiling, "EXACT_QUANTILES", 100)
    columns = parse_columns([{"name": "x", "dtype": "integer"}, {"name": "s", "dtype": "string"}])
    found = summaries(tmp_path, [{"x": n, "s": str(n)} for n in range(1000)], columns)
    assert found["x"].histogram["approximate"] == ["distinct", "quantiles", "counts"]
    assert sum(found["x"].histogram["counts"]) == 1000
    assert found["x"].distinct == pytest.approx(1000, rel=0.1)
    assert found["x"].quantiles["0.5"] == pytest.approx(500, abs=20)
    assert found["s"].histogram == {"approximate": ["distinct"]}


def one(**facts):
    return ColumnSummary(**{"column": "x", "dtype": "number", "rows": 100, "missing": 0, **facts})


@pytest.mark.parametrize(
    ("before", "after", "texts"),
    [
        ({}, {}, []),
        ({"missing": 1}, {"missing": 2}, []),
        ({"missing": 1}, {"missing": 11}, ["x: missing 1.0% → 11.0%"]),
        ({"distinct": 5}, {"distinct": 9}, []),
        ({"distinct": 5}, {"distinct": 10}, ["x: distinct 5 → 10"]),
        ({"distinct": 100}, {"distinct": 1000, "rows": 1000}, []),
        ({"minimum": "0", "maximum": "10"}, {"minimum": "-1", "maximum": "11"}, []),
        ({"minimum": "0", "maximum": "10"}, {"minimum": "-2", "maximum": "10"}, ["x: range 0 to 10 → -2 to 10"]),
        (
            {"minimum": "0", "maximum": "9", "mean": 5.0, "deviation": 2.0},
            {"minimum": "0", "maximum": "9", "mean": 5.6, "deviation": 2.0},
            ["x: mean 5 → 5.6"],
        ),
        ({"dtype": "integer"}, {"dtype": "number"}, ["x: dtype integer → number"]),
        (
            {"dtype": "string", "histogram": {"values": ["a", "b"], "counts": [1, 1], "other": 0}},
            {"dtype": "string", "histogram": {"values": ["b", "c"], "counts": [1, 1], "other": 0}},
            ["x: new values – → c", "x: gone values a → –"],
        ),
        (
            {"dtype": "string", "histogram": {"values": ["a", "b"], "counts": [1, 1], "other": 3}},
            {"dtype": "string", "histogram": {"values": ["b", "c"], "counts": [1, 1], "other": 0}},
            [],
        ),
    ],
)
def test_what_changed_is_named(before, after, texts):
    assert [change.text() for change in profile_changes([one(**before)], [one(**after)])] == texts


def test_columns_come_and_go():
    changes = profile_changes([one(), one(column="y")], [one(column="z"), one()])
    assert [change.text() for change in changes] == ["z: new column – → number", "y: gone column number → –"]
    assert profile_changes([], [one()]) == []


@pytest.mark.django_db(transaction=True)
def test_each_version_has_its_profile_and_is_compared_with_the_one_before(write):
    ingest("d", [write("1.csv", "x,s\n1,a\n2,b\n3,a\n")], actor="test")
    ingest("d", [write("2.csv", "x,s\n9,a\n9,c\n,a\n")], actor="test", max_rejected=0.5)
    first, second = DatasetVersion.objects.order_by("number")
    assert [(one.column, one.rows, one.maximum) for one in stored_profile(first)] == [("x", 3, "3"), ("s", 3, "b")]
    assert changes_since(first) == []
    assert "x: mean 2 → 9" in [change.text() for change in changes_since(second)]
