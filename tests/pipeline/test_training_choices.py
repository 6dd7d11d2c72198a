"""What a training may choose on rows that are neither learnt from nor tested on."""

from typing import Any

import numpy as np
import pytest

from features.ground.errors import DomainError
from pipeline.core.training import TrainedModel, train_on
from pipeline.core.training_plan import TrainingPlan
from tests.pipeline.training_data import Columns, flights, table_of


def train(data: tuple[Any, Columns], **plan: Any) -> TrainedModel:
    return train_on(*data, TrainingPlan(**plan))


def with_entity(rows: int = 600) -> tuple[Any, Columns]:
    table, columns = flights(rows)
    tails = [f"N{row % 37}" for row in range(rows)]
    return table.append_column("tail", [tails]), [*columns, {"name": "tail", "dtype": "string", "role": "entity"}]


def test_linear_svm_gives_probabilities_calibrated_on_validation_rows() -> None:
    model = train(flights(800), estimator="linear_svm", params={"C": 0.5})
    assert model.metrics["test"]["log_loss"] < model.metrics["baseline"]["log_loss"]
    assert model.params["calibration"] == "sigmoid"
    assert model.params["estimator_params"]["C"] == 0.5
    rows = model.metrics["rows"]
    assert (rows["train"], rows["validation"], rows["test"]) == (512, 128, 160)


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_calibration_brings_shifted_probabilities_back(method: str) -> None:
    # Weights of 20 push every probability up; calibration on rows as they are undoes it.
    shifted = {"estimator": "logistic_regression", "class_weight": {"true": 20.0}, "split": "random"}
    wrong, right = train(flights(3000), **shifted), train(flights(3000), **shifted, calibrate=method)
    assert wrong.metrics["test"]["calibration_error"] > 0.1
    assert right.metrics["test"]["calibration_error"] < wrong.metrics["test"]["calibration_error"] / 2


def test_calibrated_forest_says_the_same_to_the_last_bit() -> None:
    options = {"estimator": "random_forest", "calibrate": "sigmoid", "params": {"n_estimators": 40}}
    first, *others = (train(flights(1500), **options).judged.said for _ in range(4))
    assert all(np.array_equal(first, other) for other in others)


def test_calibration_never_looks_at_test_rows() -> None:
    table, columns = flights(1000)
    late = table["late"].to_pylist()
    flipped = table.set_column(
        table.column_names.index("late"), "late", [late[:800] + [not value for value in late[800:]]]
    )
    options = {"estimator": "linear_svm", "calibrate": "isotonic", "threshold_goal": "f1"}
    one, other = train((table, columns), **options), train((flipped, columns), **options)
    assert one.threshold == other.threshold
    assert np.array_equal(one.judged.said, other.judged.said)


def test_class_weights_raise_the_probability_of_what_counts_more() -> None:
    plain, weighted = (
        train(flights(), estimator="hist_gradient_boosting", class_weight=weight) for weight in ("", {"True": 10})
    )
    assert weighted.judged.said[:, 1].mean() > plain.judged.said[:, 1].mean() + 0.02
    assert train(flights(), estimator="random_forest", class_weight="balanced").params["class_weight"] == "balanced"


def test_threshold_decides_the_label_metrics() -> None:
    plain = train(flights(800), estimator="logistic_regression", split="random")
    model = train(flights(800), estimator="logistic_regression", split="random", threshold_goal="cost=fp:1,fn:20")
    assert model.threshold is not None
    assert model.threshold < 0.3
    assert "recall" not in plain.metrics["test"]
    assert model.metrics["test"]["recall"] > 0.95
    assert model.params["threshold"]["goal"] == "cost=fp:1,fn:20"
    assert model.params["threshold"]["rows"] == model.metrics["rows"]["validation"] == 128
    called = model.judged.said[:, 1] >= model.threshold
    assert model.metrics["test"]["accuracy"] == (called == (model.judged.actual == 1)).mean()


def test_group_split_has_no_entity_on_both_sides() -> None:
    table, columns = with_entity()
    model = train((table, columns), estimator="logistic_regression", split="group", threshold_goal="f1")
    tails = np.array(table["tail"].to_pylist())
    tested = set(tails[model.judged.rows].tolist())
    assert model.params["split"]["kind"] == "group"
    assert 5 <= len(tested) <= 9
    assert len(model.judged.rows) == sum(tail in tested for tail in tails)


def test_group_may_be_another_column_and_a_row_without_one_stands_alone() -> None:
    model = train(flights(300), estimator="dummy", split="group", group="carrier", test_size=0.5)
    assert model.metrics["rows"]["test"] + model.metrics["rows"]["train"] == 300


def test_judged_rows_are_found_again_in_the_snapshot() -> None:
    label = np.array([True, False, None, True] * 40, dtype=object)
    table, columns = table_of({"x": np.arange(160.0), "y": label}, y="target")
    model = train((table, columns), estimator="logistic_regression")
    actual = [table["y"][int(row)].as_py() for row in model.judged.rows]
    assert [model.classes[code] for code in model.judged.actual] == actual
    assert model.test["x"].tolist() == [float(row) for row in model.judged.rows]


def test_folds_are_scored_with_mean_and_spread() -> None:
    model = train(flights(600), estimator="logistic_regression", cv=4, split="random")
    found = model.metrics["cross_validation"]
    losses = [score["log_loss"] for score in found["scores"]]
    assert (found["folds"], found["kind"], len(losses)) == (4, "random", 4)
    assert found["mean"]["log_loss"] == pytest.approx(np.mean(losses))
    assert found["sd"]["log_loss"] == pytest.approx(np.std(losses, ddof=1))


@pytest.mark.parametrize("estimator", ["logistic_regression", "linear_svm", "k_neighbors", "extra_trees"])
def test_search_keeps_every_trial_and_trains_with_the_best(estimator: str) -> None:
    first, again = (train(flights(400), estimator=estimator, tune=5, seed=9) for _ in range(2))
    search = first.params["search"]
    assert search == again.params["search"]
    assert sum(trial["round"] == 0 for trial in search["trials"]) == 5
    last = [trial for trial in search["trials"] if trial["round"] == max(t["round"] for t in search["trials"])]
    scores = [trial["score"] for trial in last]
    assert search["best"]["score"] == (max(scores) if search["metric"] == "accuracy" else min(scores))
    used = first.params["estimator_params"]
    assert {name: used[name] for name in search["best"]["params"]} == search["best"]["params"]


def test_search_leaves_given_parameters_alone_and_uses_folds_where_there_are_some() -> None:
    model = train(flights(300, target="delay"), estimator="ridge", tune=4, cv=3, split="random")
    assert (model.params["search"]["judged_on"], model.params["search"]["metric"]) == ("3 folds", "rmse")
    trees = train(flights(300), estimator="random_forest", tune=3, params={"max_features": 0.3, "n_estimators": 10})
    assert {tuple(trial["params"]) for trial in trees.params["search"]["trials"]} == {("min_samples_leaf",)}
    assert trees.params["estimator_params"]["max_features"] == 0.3


@pytest.mark.parametrize(
    ("plan", "text"),
    [
        (
            {"target": "delay", "calibrate": "sigmoid"},
            "calibrate is for a classification, and delay needs a regression",
        ),
        ({"target": "delay", "threshold_goal": "f1"}, "threshold_goal is for a classification"),
        ({"target": "delay", "class_weight": "balanced"}, "class_weight is for a classification"),
        ({"target": "how_late", "threshold_goal": "f1"}, "threshold_goal is for two classes, and how_late has 3"),
        ({"class_weight": {"maybe": 2.0}}, "class_weight names maybe, which is no label .* allowed: False, True"),
        (
            {"class_weight": "balanced", "estimator": "k_neighbors"},
            "k_neighbors for classification takes no class",
        ),
        ({"tune": 3, "estimator": "dummy"}, "tune finds nothing to search in dummy"),
        ({"tune": 3, "estimator": "logistic_regression", "params": {"C": 1}}, "tune finds nothing to search"),
        ({"split": "group"}, r"keeps one column's values together \(there is no column of role entity\); name one"),
        ({"split": "group", "group": "late"}, "unknown group late"),
        ({"split": "group", "group": "nope"}, "unknown group nope .* name one with group, of: departs, carrier"),
    ],
)
def test_choice_that_does_not_fit_the_data_is_refused(plan: dict[str, Any], text: str) -> None:
    target = plan.pop("target", "late")
    with pytest.raises(DomainError, match=text):
        train(flights(200, target=target), **plan)
