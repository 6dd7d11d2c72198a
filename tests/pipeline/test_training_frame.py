"""What a target asks for, and the rows that have one."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.core.estimators import estimator_named
from pipeline.core.training_columns import target_name
from pipeline.core.training_errors import TaskMismatchError, UnknownTargetError
from pipeline.core.training_frame import LabelledRows, labelled_rows
from tests.pipeline.training_data import table_of


def rows_of(target: Any, estimator: str = "hist_gradient_boosting") -> LabelledRows:
    table, columns = table_of({"y": target}, y="target")
    return labelled_rows(table, columns, "y", estimator_named(estimator))


@pytest.mark.parametrize(
    ("target", "task"),
    [
        ([True, False, None], "classification"),
        (["a", "b", "c"], "classification"),
        ([0, 1, 2], "classification"),
        (list(range(21)), "regression"),
        ([0.0, 1.0, np.nan], "classification"),
        ([0.0, 1.0, 2.0], "regression"),
        ([0.5, 1.0], "regression"),
    ],
)
def test_target_decides_the_task(target: Any, task: str) -> None:
    assert rows_of(target).task == task


def test_estimator_of_one_task_decides_where_the_target_leaves_both_open() -> None:
    assert rows_of([0, 1, 2], "ridge").task == "regression"
    assert rows_of([0.0, 1.0, 2.0], "logistic_regression").task == "classification"
    assert rows_of([0.5, 1.0], "logistic_regression").task == "regression"


def test_whole_numbers_become_integer_labels() -> None:
    assert rows_of([0.0, 1.0, np.nan]).target.tolist() == [0, 1]


def test_infinite_targets_count_as_missing() -> None:
    found = rows_of([0.5, np.inf, -np.inf, np.nan, 2.5])
    assert found.target.tolist() == [0.5, 2.5]
    assert found.unlabelled == 3


def test_target_that_is_a_time_is_refused() -> None:
    with pytest.raises(TaskMismatchError, match="the target y is a time; predict a number, a text or a yes/no"):
        rows_of(pd.date_range("2013-01-01", periods=3, tz="UTC").as_unit("us"))


def test_target_with_too_many_labels_is_refused() -> None:
    with pytest.raises(TaskMismatchError, match="the target y has 201 different labels; at most 200 classes"):
        rows_of([f"label {number}" for number in range(201)])


def test_frame_holds_features_and_times_and_what_is_to_be_kept() -> None:
    table, columns = table_of(
        {"x": [1], "tail": ["N1"], "y": [0.5], "id": ["a"]}, y="target", tail="entity", id="ignore"
    )
    found = labelled_rows(table, columns, "y", estimator_named("ridge"), keep=("tail",))
    assert found.frame.columns.tolist() == ["x", "tail"]
    assert found.frame.dtypes.astype(str).tolist() == ["float64", "str"]


def test_target_name_is_the_declared_one_unless_another_is_asked_for() -> None:
    _, columns = table_of({"x": [1.0], "y": [1.0]}, y="target")
    assert target_name(columns, "") == "y"
    assert target_name(columns, "x") == "x"


def test_target_must_be_named_when_none_is_declared() -> None:
    _, columns = table_of({"x": [1.0], "z": [1.0]})
    with pytest.raises(UnknownTargetError, match="has no target column; name one with --target, of: x, z"):
        target_name(columns, "")
