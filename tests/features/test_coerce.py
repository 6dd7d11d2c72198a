import numpy as np
import pyarrow as pa
import pytest

from features.core.coerce import coerce, fits, misfit_rules

T = pa.timestamp("us", tz="UTC")


@pytest.mark.parametrize(
    ("dtype", "texts", "values"),
    [
        ("integer", ["1", "-7", "+3", None], [1, -7, 3, None]),
        ("number", ["1.5", ".5", "1e3", None], [1.5, 0.5, 1000.0, None]),
        ("boolean", ["true", "False", "1", "no"], [True, False, True, False]),
        ("string", ["a", "", None], ["a", "", None]),
    ],
)
def test_text_becomes_its_dtype(dtype, texts, values):
    typed, bad = coerce(pa.array(texts, pa.string()), dtype)
    assert typed.to_pylist() == values
    assert not bad.any()


@pytest.mark.parametrize(
    ("dtype", "wrong"),
    [
        ("integer", "1.5"),
        ("integer", "9223372036854775808"),
        ("integer", " 1"),
        ("number", "abc"),
        ("number", "1e999"),
        ("number", "inf"),
        ("boolean", "perhaps"),
        ("timestamp", "2013-02-30T00:00:00Z"),
        ("timestamp", "yesterday"),
    ],
)
def test_only_the_value_that_does_not_fit_is_marked(dtype, wrong):
    right = {"integer": "1", "number": "1", "boolean": "true", "timestamp": "2013-01-01"}[dtype]
    typed, bad = coerce(pa.array([right, wrong, None, right]), dtype)
    assert bad.tolist() == [False, True, False, False]
    assert typed.null_count == 2


def test_times_are_utc_whatever_their_zone():
    texts = ["2013-01-01T10:00:00Z", "2013-01-01T12:00:00+02:00", "2013-01-01 10:00", "2013-01-01", None]
    typed, bad = coerce(pa.array(texts), "timestamp", "UTC")
    assert typed.type == T
    assert not bad.any()
    hours = [None if value is None else value.hour for value in typed.to_pylist()]
    assert hours == [10, 10, 10, 0, None]


def test_times_are_cut_to_microseconds():
    typed, bad = coerce(pa.array(["2013-01-01T00:00:00.123456789Z"]), "timestamp")
    assert typed.to_pylist()[0].microsecond == 123456
    assert not bad.any()


def test_nan_is_missing_and_a_broken_whole_number_is_not():
    typed, bad = coerce(pa.array([1.0, np.nan, 2.5, None]), "integer")
    assert typed.to_pylist() == [1, None, None, None]
    assert bad.tolist() == [False, False, True, False]


def test_unsigned_beyond_64_bits_does_not_fit():
    _, bad = coerce(pa.array([1, 2**63], pa.uint64()), "integer")
    assert bad.tolist() == [False, True]


def test_naive_times_are_of_the_zone_named_or_do_not_fit():
    local = pa.array([1_000_000_999], pa.timestamp("ns"))
    typed, _ = coerce(local, "timestamp", "Etc/GMT+1")
    assert typed.cast(pa.int64()).to_pylist() == [3_601_000_000]
    assert coerce(local, "timestamp")[1].tolist() == [True]
    assert misfit_rules(local, "timestamp") == ["naive_timestamp"]


def test_typed_values_of_another_kind_are_judged_as_text():
    _, bad = coerce(pa.array([True, False]), "number")
    assert bad.all()


def test_a_column_of_nothing_fits_every_dtype():
    typed, bad = coerce(pa.nulls(2), "timestamp")
    assert typed.to_pylist() == [None, None]
    assert not bad.any()
    assert fits(pa.null(), "integer")


@pytest.mark.parametrize(
    ("kind", "dtype"),
    [(pa.int8(), "number"), (pa.float32(), "integer"), (pa.date32(), "timestamp"), (pa.large_string(), "string")],
)
def test_kinds_that_fit(kind, dtype):
    assert fits(kind, dtype)


@pytest.mark.parametrize(("kind", "dtype"), [(pa.string(), "number"), (pa.int64(), "boolean"), (pa.int64(), "string")])
def test_kinds_that_do_not_fit(kind, dtype):
    assert not fits(kind, dtype)


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
def test_text_that_no_database_stores_does_not_fit(kind):
    typed, bad = coerce(pa.array(["a", "b\x00c", None], kind), "string")
    assert typed.to_pylist() == ["a", None, None]
    assert bad.tolist() == [False, True, False]
