"""Training on a table: what comes out, and what is refused."""

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from pipeline.core.training import TrainedModel, train_on
from pipeline.core.training_errors import (
    EmptySplitError,
    FitRefusedError,
    InvalidParamError,
    ModelTaskError,
    NoFeaturesError,
    NoRowsError,
    NoTimestampError,
    SingleClassError,
    UnknownSliceError,
    UnknownTargetError,
)
from pipeline.core.training_plan import TrainingPlan
from tests.pipeline.training_data import Columns, fingerprint, flights, table_of


def train(data: tuple[Any, Columns], **plan: Any) -> TrainedModel:
    return train_on(*data, TrainingPlan(**plan))


@pytest.mark.parametrize("estimator", ["logistic_regression", "random_forest", "extra_trees", "hist_gradient_boosting"])
def test_classifier_beats_the_majority(estimator: str) -> None:
    model = train(flights(600), estimator=estimator)
    assert model.task == "classification"
    assert model.classes == [False, True]
    assert model.metrics["test"]["log_loss"] < model.metrics["baseline"]["log_loss"]
    assert set(model.metrics["test"]) == {"roc_auc", "log_loss", "brier", "accuracy", "calibration_error"}
    assert model.metrics["baseline"]["roc_auc"] == 0.5


@pytest.mark.parametrize("estimator", ["ridge", "random_forest", "hist_gradient_boosting", "k_neighbors"])
def test_regressor_beats_the_mean(estimator: str) -> None:
    model = train(flights(600, target="delay"), estimator=estimator)
    assert model.task == "regression"
    assert model.classes == []
    assert model.metrics["test"]["rmse"] < model.metrics["baseline"]["rmse"]
    assert set(model.metrics["test"]) == {"rmse", "mae", "r2"}
    assert model.metrics["calibration"] == {}


@pytest.mark.parametrize(
    ("target", "classes"), [("how_late", ["a bit", "not", "very"]), ("stars", [-1, 0, 1]), ("late", [False, True])]
)
def test_labels_stay_as_they_are_in_the_data(target: str, classes: list[Any]) -> None:
    model = train(flights(target=target), estimator="logistic_regression")
    assert model.classes == classes
    assert [type(label) for label in model.classes] == [type(label) for label in classes]
    assert set(model.pipeline.predict(model.test).tolist()) <= set(classes)


def test_dummy_says_what_the_baseline_says() -> None:
    model = train(flights(), estimator="dummy")
    assert model.metrics["test"] == pytest.approx(model.metrics["baseline"])


def test_linear_baseline_of_a_plain_linear_model_is_the_model_itself() -> None:
    model = train(flights(), estimator="logistic_regression")
    assert model.metrics["linear_baseline"] == model.metrics["test"]


def test_linear_baseline_of_another_model_is_a_linear_one() -> None:
    linear = train(flights(), estimator="logistic_regression")
    model = train(flights(), estimator="logistic_regression", params={"C": 0.001})
    assert model.metrics["linear_baseline"] == linear.metrics["test"]
    assert model.metrics["test"] != linear.metrics["test"]


@pytest.mark.parametrize("estimator", ["logistic_regression", "random_forest", "hist_gradient_boosting"])
def test_same_table_and_seed_give_the_same_predictions(estimator: str) -> None:
    first, again = (train(flights(), estimator=estimator, seed=7, split="random") for _ in range(2))
    said = [fingerprint(model.pipeline.predict_proba(model.test)) for model in (first, again)]
    assert said[0] == said[1]
    assert first.metrics == again.metrics
    assert first.params == again.params


def test_another_seed_tests_on_other_rows() -> None:
    first, other = (train(flights(), split="random", estimator="dummy", seed=seed) for seed in (0, 1))
    assert first.params["split"]["test_rows_digest"] != other.params["split"]["test_rows_digest"]


def test_split_is_by_time_when_there_is_a_timestamp() -> None:
    model = train(flights(100), estimator="dummy", test_size=0.25)
    assert model.params["split"]["kind"] == "time"
    assert model.params["split"]["cut"] == "2013-01-04T03:00:00.000000Z"
    assert model.metrics["rows"]["test"] == 25
    assert model.test.index.tolist() == list(range(75, 100))


def test_split_is_random_when_there_is_no_timestamp() -> None:
    data = table_of({"x": np.arange(50.0), "y": np.arange(50) % 2 == 0}, y="target")
    assert train(data, estimator="dummy").params["split"]["kind"] == "random"


def test_time_split_without_a_timestamp_is_refused() -> None:
    data = table_of({"x": np.arange(50.0), "y": np.arange(50) % 2 == 0}, y="target")
    with pytest.raises(NoTimestampError, match="needs a column of role timestamp") as caught:
        train(data, split="time")
    assert caught.value.code == "no_timestamp"


def test_labels_known_after_the_cut_are_left_out() -> None:
    table, columns = flights(100)
    departs = table["departs"].to_pandas()
    landed = departs.where(departs.index != 10, departs + pd.Timedelta(days=30))
    table = table.append_column("landed", [landed])
    columns.append({"name": "landed", "dtype": "timestamp", "role": "known_at"})
    rows = train((table, columns), estimator="dummy").metrics["rows"]
    assert (rows["left_out"], rows["train"], rows["test"]) == (1, 79, 20)


def test_columns_that_are_no_features_are_dropped_with_a_reason() -> None:
    table, columns = flights(600)
    table = table.append_column("tail", [[f"N{row}" for row in range(600)]])
    table = table.append_column("empty", pa.nulls(600, pa.float64()))
    table = table.append_column("booked", table["departs"])
    columns += [
        {"name": "tail", "dtype": "string", "role": "feature"},
        {"name": "empty", "dtype": "number", "role": "feature"},
        {"name": "booked", "dtype": "timestamp", "role": "feature"},
    ]
    model = train((table, columns), estimator="dummy")
    assert model.features.names == ("carrier", "wind (kt)", "hour", "weekend")
    assert model.features.dropped == {
        "departs": "its role is timestamp",
        "tail": "480 levels, more than 200",
        "empty": "no training row has a value",
        "booked": "a point in time says nothing about later rows; give an age or a part of the date",
    }


def test_slices_measure_groups_of_test_rows() -> None:
    model = train(flights(1500), estimator="logistic_regression", slices=("carrier", "weekend", "wind (kt)", "hour"))
    found = model.metrics["slices"]
    assert {group["value"] for group in found["carrier"]} == {"AA", "B6", "UA", "(missing)"}
    assert sum(group["rows"] for group in found["carrier"]) == model.metrics["rows"]["test"]
    assert [group["value"] for group in found["weekend"]] == ["false", "true"]
    assert len(found["wind (kt)"]) == 4
    assert found["hour"] == []
    assert set(found["carrier"][0]["metrics"]) == set(model.metrics["test"])


def test_slices_with_few_rows_are_left_out() -> None:
    assert train(flights(200), estimator="dummy", slices=("carrier",)).metrics["slices"] == {"carrier": []}


def test_feature_means_are_those_of_the_training_numbers() -> None:
    model = train(flights(100), estimator="dummy")
    assert set(model.metrics["features"]) == {"wind (kt)", "hour", "weekend"}
    assert 0 < model.metrics["features"]["weekend"] < 1


def test_rows_without_a_target_are_counted_and_left_out() -> None:
    label = np.array([True, False] * 40, dtype=object)
    label[:10] = None
    data = table_of({"x": np.arange(80.0), "y": label}, y="target")
    rows = train(data, estimator="dummy").metrics["rows"]
    assert (rows["total"], rows["unlabelled"], rows["train"], rows["test"]) == (80, 10, 56, 14)


def test_test_rows_of_a_class_that_training_never_saw_are_counted_and_left_out() -> None:
    when = pd.Timestamp("2013-01-01", tz="UTC") + pd.to_timedelta(np.arange(20), unit="D")
    label = ["a", "b"] * 9 + ["new", "a"]
    data = table_of({"at": when.as_unit("us"), "x": np.arange(20.0), "y": label}, at="timestamp", y="target")
    rows = train(data, estimator="dummy").metrics["rows"]
    assert (rows["test"], rows["test_unseen_class"]) == (3, 1)


def test_test_part_of_unseen_classes_only_is_refused() -> None:
    when = pd.Timestamp("2013-01-01", tz="UTC") + pd.to_timedelta(np.arange(10), unit="D")
    label = ["a", "b"] * 4 + ["new", "new"]
    data = table_of({"at": when.as_unit("us"), "x": np.arange(10.0), "y": label}, at="timestamp", y="target")
    with pytest.raises(EmptySplitError, match="no test row has a class that is in the training rows"):
        train(data, estimator="dummy")


def test_target_may_be_another_column_than_the_declared_one() -> None:
    table, columns = flights(300)
    model = train((table, columns), target="wind (kt)", estimator="ridge")
    assert (model.task, model.features.dropped["late"]) == ("regression", "its role is target")


def test_estimators_warnings_are_kept_as_notes() -> None:
    model = train(flights(), estimator="logistic_regression", params={"max_iter": 1})
    assert model.params["notes"] == ["Newton solver did not converge after 1 iterations."]


@pytest.mark.parametrize(
    ("plan", "error", "text"),
    [
        ({"target": "lateness"}, UnknownTargetError, "unknown target lateness; columns: departs, carrier, wind"),
        ({"slices": ("colour",)}, UnknownSliceError, "unknown column to slice by: colour; allowed: departs, carrier"),
        ({"slices": ("late",)}, UnknownSliceError, "unknown column to slice by: late"),
        ({"task": "regression"}, ModelTaskError, "the model does regression, and the target late needs classification"),
        (
            {"estimator": "logistic_regression", "params": {"C": -1}},
            InvalidParamError,
            "LogisticRegression refused to be trained: The 'C' parameter",
        ),
    ],
)
def test_plan_that_does_not_fit_the_table_is_refused(plan: Any, error: Any, text: str) -> None:
    with pytest.raises(error, match=text):
        train(flights(60), **plan)


def test_table_without_rows_is_refused() -> None:
    table, columns = flights(10)
    with pytest.raises(NoRowsError, match="the snapshot has no rows"):
        train((table.slice(0, 0), columns))


def test_target_without_any_value_is_refused() -> None:
    data = table_of({"x": np.arange(9.0), "y": np.full(9, np.nan)}, y="target")
    with pytest.raises(NoRowsError, match="the target y has no value in any of 9 rows"):
        train(data)


def test_target_of_one_class_is_refused() -> None:
    data = table_of({"x": np.arange(9.0), "y": [True] * 9}, y="target")
    with pytest.raises(SingleClassError, match="all 7 training rows have the same target, True") as caught:
        train(data)
    assert caught.value.code == "single_class"


def test_table_with_nothing_but_the_target_is_refused() -> None:
    data = table_of({"y": [True, False] * 9}, y="target")
    with pytest.raises(NoFeaturesError, match=r"no column is left to predict y from \(the target is the only column\)"):
        train(data)


def test_infinite_feature_is_refused_by_the_estimator() -> None:
    data = table_of({"x": [np.inf] + [1.0] * 39, "y": [True, False] * 20}, y="target")
    with pytest.raises(FitRefusedError, match="refused to be trained: Input X contains infinity"):
        train(data, estimator="logistic_regression")
