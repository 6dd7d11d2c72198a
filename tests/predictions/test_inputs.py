"""Cells are checked against the schema; a message names row, column, what is allowed and what came."""

from typing import Any

import numpy as np
import pytest

from predictions.core.input_limits import InputLimits
from predictions.core.inputs import InputPlan
from predictions.errors import InvalidRequestError, TooManyRowsError
from tests.predictions.tiny import RECORD, ROW, SCHEMA

NAN = float("nan")


def plan(**limits: Any) -> InputPlan:
    return InputPlan(SCHEMA, InputLimits(**limits))


def refused(rows: Any, **limits: Any) -> InvalidRequestError:
    with pytest.raises(InvalidRequestError) as caught:
        plan(**limits).from_rows(rows)
    return caught.value


def test_rows_become_columns_in_schema_order() -> None:
    frame = plan().from_rows([ROW, [1, None, "blue"]])
    assert list(frame) == ["length", "width", "colour"]
    assert frame["length"].tolist() == [4.0, 1.0]
    assert frame["width"][0] == 1.5
    assert np.isnan(frame["width"][1])
    assert frame["colour"].tolist() == ["red", "blue"]


def test_records_become_the_same_columns_whatever_their_order() -> None:
    shuffled = {name: RECORD[name] for name in ("colour", "width", "length")}
    ours, theirs = plan().from_records([shuffled]), plan().from_rows([ROW])
    assert all(ours[name].tolist() == theirs[name].tolist() for name in ours)


def test_wrong_number_of_features_names_both_numbers() -> None:
    error = refused([ROW, [1, 2]])
    assert error.message == "row 1 has 2 values; the model takes 3: length, width, colour"
    assert error.fields == {"row": 1, "expected": 3, "got": 2}


def test_text_where_a_number_belongs_names_the_cell() -> None:
    error = refused([ROW, ["abc", 1, "red"]])
    assert error.message == "row 1, column length: must be a number; got abc"
    assert error.fields["column"] == "length"


@pytest.mark.parametrize(
    ("row", "text"),
    [
        (["5", 1, "red"], "column length: must be a number; got 5"),
        ([[1], 1, "red"], "column length: must be a number; got [1]"),
        ([10**400, 1, "red"], "column length: must be a number from 0 to 100"),
        ([-1, 1, "red"], "column length: must be a number from 0 to 100; got -1"),
        ([1, 2e30, "red"], "column width: must be a number from -1e+30 to 1e+30"),
        ([None, 1, "red"], "column length: must not be missing; got None"),
        ([NAN, 1, "red"], "column length: must not be missing; got nan"),
        ([1, 1, None], "column colour: must not be missing; got None"),
        ([1, 1, NAN], "column colour: must not be missing"),
        ([1, 1, 3], "column colour: must be a text; got 3"),
        ([1, 1, "green"], "column colour: must be one of blue, red; got green"),
        ([1, 1, "a\x00"], "column colour: must be a text without NUL"),
        ([1, 1, "a" * 5000], "column colour: must be a text of at most 4096 characters"),
        ("abc", "row 0 must be a list of 3 values"),
    ],
)
def test_each_fault_of_a_cell_is_named(row: Any, text: str) -> None:
    assert text in refused([row]).message


def test_missing_numbers_are_replaced_when_a_replacement_is_set() -> None:
    frame = plan(nan_replacement=7.0).from_rows([[NAN, None, "red"]])
    assert frame["length"].tolist() == frame["width"].tolist() == [7.0]


def test_a_replacement_is_not_held_to_the_bounds() -> None:
    assert plan(nan_replacement=-1.0).from_rows([[NAN, None, "red"]])["length"].tolist() == [-1.0]


def test_missing_numbers_stay_for_the_imputer_when_the_column_is_nullable() -> None:
    assert np.isnan(plan().from_rows([[1, NAN, "red"]])["width"][0])


def test_installation_bounds_hold_beside_the_schemas() -> None:
    assert "from 2 to 50" in refused([[1, 1, "red"]], min_value=2, max_value=50).message


def test_booleans_are_numbers() -> None:
    assert plan().from_rows([[True, False, "red"]])["length"].tolist() == [1.0]


@pytest.mark.parametrize(
    ("record", "text"),
    [
        ({"length": 1, "width": 1}, "row 0 lacks colour"),
        (RECORD | {"depth": 1}, "row 0 has unknown depth"),
        ([1, 2, 3], "row 0 must be an object"),
    ],
)
def test_a_record_with_other_keys_is_refused(record: Any, text: str) -> None:
    with pytest.raises(InvalidRequestError, match=text):
        plan().from_records([record])


def test_too_many_rows_are_refused() -> None:
    with pytest.raises(TooManyRowsError, match="3 rows are too many: one request may hold 2"):
        plan(max_rows=2).from_rows([ROW] * 3)
    with pytest.raises(TooManyRowsError):
        plan(max_rows=2).from_records([RECORD] * 3)


def test_a_model_of_numbers_alone_takes_rows_as_they_are() -> None:
    numbers = InputPlan(SCHEMA[:2], InputLimits())
    assert numbers.from_rows([[1, 2], [3, 4]])["width"].tolist() == [2.0, 4.0]


def test_a_model_of_text_alone_takes_rows_too() -> None:
    assert InputPlan(SCHEMA[2:], InputLimits()).from_rows([["red"]])["colour"].tolist() == ["red"]
