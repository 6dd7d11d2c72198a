import pyarrow as pa
import pytest

from features.core.infer import ColumnGuess


def guess(*chunks):
    found = ColumnGuess("x")
    for chunk in chunks:
        found.update(pa.array(chunk) if isinstance(chunk, list) else chunk)
    return found.column()


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        (["1", "2"], "integer"),
        (["0", "1"], "integer"),
        (["1", "2.5"], "number"),
        (["true", "False"], "boolean"),
        (["2013-01-01", "2013-01-02T10:00:00Z"], "timestamp"),
        (["a", "1"], "string"),
        (["00501", "10001"], "string"),
        ([1, 2], "integer"),
        ([1.5, 2.0], "number"),
        ([True, False], "boolean"),
    ],
)
def test_dtype_is_seen_from_the_values(values, dtype):
    assert guess(values).dtype == dtype


def test_a_few_texts_leave_a_column_a_number():
    assert guess(["1.5"] * 97 + ["a", "b", "c"]).dtype == "number"


def test_many_texts_make_a_column_text():
    assert guess(["1.5"] * 90 + ["a"] * 10).dtype == "string"


def test_a_later_chunk_counts():
    assert guess(["1"] * 10, ["2.5"] * 10).dtype == "number"
    assert guess(["a"] * 10, ["1"] * 15, ["1"] * 10).dtype == "string"


def test_nullable_only_where_something_is_missing():
    assert not guess(["1", "2"]).nullable
    assert guess(["1", None]).nullable


def test_a_column_of_nothing_is_text():
    column = guess(pa.nulls(3, pa.string()))
    assert (column.dtype, column.nullable) == ("string", True)


def test_more_digits_than_a_number_holds_are_a_name():
    assert guess([str(10**24 + n) for n in range(10)]).dtype == "string"
    assert guess(["1"] * 99 + [str(2**63)]).dtype == "integer"


def test_hexadecimal_is_no_number():
    assert guess(["0x1F", "0x20"]).dtype == "string"
