import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.core.coerce import coerce
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


TEXTS: dict[str, st.SearchStrategy[str]] = {
    "boolean": st.sampled_from(["true", "FALSE", "True", "t", "F", "yes", "no", "y", "N", "1", "0", " true", "false "]),
    "integer": st.one_of(st.integers(-(2**64), 2**64).map(str), st.sampled_from(["007", "-01", "+5", "0x1F", " 1"])),
    "number": st.one_of(st.floats().map(str), st.from_regex(r"\A[+-]?0*[0-9]{1,20}(\.[0-9]{0,3})?\Z")),
    "timestamp": st.one_of(st.datetimes().map(lambda at: f"{at.isoformat()}Z"), st.dates().map(str)),
    "string": st.text(max_size=5).filter(lambda text: "\x00" not in text),
}


@pytest.mark.parametrize("dtype", list(TEXTS))
@settings(max_examples=200, deadline=None)
@given(st.data())
def test_what_is_known_to_fit_is_counted_as_if_it_were_looked_at(dtype, data):
    texts = data.draw(st.lists(st.one_of(TEXTS[dtype], st.none()), min_size=1, max_size=6))
    values = pa.array(texts, pa.string())
    known = None if coerce(values, dtype)[1].any() else dtype
    looked, believed = ColumnGuess("x"), ColumnGuess("x")
    looked.update(values)
    believed.update(values, known)
    assert believed.misfits == looked.misfits
