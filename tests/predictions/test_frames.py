"""Faulty rows among many are named and left out; the others keep their order."""

import numpy as np
import pandas as pd
import pytest

from predictions.core.frames import check_frame, check_rows
from predictions.core.input_limits import InputLimits
from predictions.core.inputs import InputPlan
from predictions.errors import InvalidRequestError
from tests.predictions.tiny import RECORD, ROW, SCHEMA

PLAN = InputPlan(SCHEMA, InputLimits(max_rows=2))


def test_all_good_rows_are_kept_beyond_the_request_limit() -> None:
    checked = check_rows(PLAN, [ROW] * 5)
    assert checked.kept == [0, 1, 2, 3, 4]
    assert checked.rejected == {}


def test_faulty_rows_are_named_when_lists_and_records_are_mixed() -> None:
    checked = check_rows(PLAN, [ROW, RECORD, ["x", 1, "red"], [1], 3, RECORD | {"length": 7}])
    assert checked.kept == [0, 1, 5]
    assert checked.frame["length"].tolist() == [4.0, 4.0, 7.0]
    assert checked.rejected[2] == "column length: must be a number; got x"
    assert checked.rejected[3].startswith("has 1 values; the model takes 3")
    assert checked.rejected[4].startswith("must be a list of 3 values")


def test_columns_are_checked_and_others_ignored() -> None:
    table = pd.DataFrame(
        {"length": [1.0, -5.0, 3.0, 4.0], "width": [1.0, 2.0, np.nan, 3.0], "colour": ["red", "red", "blue", "green"]}
    ).assign(extra=1)
    checked = check_frame(PLAN, {name: table[name] for name in table})
    assert checked.kept == [0, 2]
    assert checked.rejected == {
        1: "column length: must be a number from 0 to 100; got -5.0",
        3: "column colour: must be one of blue, red; got green",
    }
    assert checked.frame["colour"].tolist() == ["red", "blue"]


def test_columns_of_objects_keep_their_good_cells() -> None:
    table = {"length": np.array([1, "x", None], dtype=object), "width": [1, 2, 3], "colour": ["red"] * 3}
    checked = check_frame(PLAN, table)
    assert checked.kept == [0]
    assert checked.rejected[1] == "column length: must be a number; got x"
    assert checked.rejected[2].startswith("column length: must not be missing")


def test_missing_cells_of_columns_are_replaced_when_a_replacement_is_set() -> None:
    plan = InputPlan(SCHEMA, InputLimits(nan_replacement=2.0))
    checked = check_frame(plan, {"length": [np.nan], "width": [1.0], "colour": ["red"]})
    assert checked.frame["length"].tolist() == [2.0]


def test_a_missing_column_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match="the input lacks the columns width, colour"):
        check_frame(PLAN, {"length": [1.0]})
