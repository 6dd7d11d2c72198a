"""Options are checked before any work is done."""

from typing import Any

import pytest

from features.ground.errors import DomainError
from pipeline.core.estimators import ESTIMATORS, estimator_named
from pipeline.core.preprocessing import Features
from pipeline.core.training_build import build
from pipeline.core.training_errors import InvalidParamError, TaskMismatchError, TooManyRowsError, UnknownEstimatorError
from pipeline.core.training_plan import TrainingPlan, parse_class_weight, parse_params

FEATURES = Features(names=("x",), categorical=frozenset(), dropped={})
SIZES = {"seed": 3, "rows": 100, "weights": 1}


@pytest.mark.parametrize(
    ("plan", "text"),
    [
        ({"split": "fair"}, "split must be time, random or group, got fair"),
        ({"test_size": 0}, "the test size must be between 0 and 1, got 0"),
        ({"test_size": 1.0}, "the test size must be between 0 and 1, got 1.0"),
        ({"test_size": "half"}, "the test size must be between 0 and 1, got half"),
        ({"seed": -1}, "seed must be from 0 to 4294967295, got -1"),
        ({"calibrate": "platt"}, "calibrate must be sigmoid or isotonic, got platt"),
        ({"cv": 1}, "cv must be from 2 to 20, got 1"),
        ({"cv": True}, "cv must be from 2 to 20, got True"),
        ({"tune": 501}, "tune must be from 2 to 500, got 501"),
        ({"group": "tail"}, "group is for --split group, got tail"),
        ({"class_weight": "fair"}, "class_weight must be balanced or a weight over 0, at most 1e.06, for each label"),
        ({"class_weight": {}}, "class_weight must be balanced or a weight over 0"),
        ({"class_weight": {"a": 0}}, "for each label, got a=0"),
        ({"class_weight": {"a": float("nan")}}, "for each label, got a=nan"),
        (
            {"threshold_goal": "luck"},
            "threshold_goal must be f1, precision>=X, recall>=X .* or cost=fp:A,fn:B, got luck",
        ),
        ({"threshold_goal": "precision>=1.2"}, "threshold_goal must be"),
        ({"threshold_goal": "recall>=0.0"}, "threshold_goal must be"),
        ({"threshold_goal": "cost=fp:0,fn:0"}, "threshold_goal must be"),
    ],
)
def test_option_out_of_range_is_refused(plan: Any, text: str) -> None:
    with pytest.raises(DomainError, match=text):
        TrainingPlan(**plan).check()


def test_unknown_estimator_lists_those_there_are() -> None:
    with pytest.raises(UnknownEstimatorError) as caught:
        estimator_named("magic")
    assert caught.value.fields["allowed"] == list(ESTIMATORS)


def test_params_are_json_where_they_can_be_and_text_elsewhere() -> None:
    given = ["C=0.5", "max_iter=10", "fit_intercept=false", "class_weight=balanced", "max_depth=null", "x=NaN", "y=a=b"]
    assert parse_params(given) == {
        "C": 0.5,
        "max_iter": 10,
        "fit_intercept": False,
        "class_weight": "balanced",
        "max_depth": None,
        "x": "NaN",
        "y": "a=b",
    }


@pytest.mark.parametrize(
    ("pairs", "text"),
    [
        (["C"], "a parameter is written name=value, got C"),
        (["=1"], "a parameter is written name=value, got =1"),
        (["C=1", "C=2"], "the parameter C is given twice"),
    ],
)
def test_param_in_another_form_is_refused(pairs: list[str], text: str) -> None:
    with pytest.raises(InvalidParamError, match=text):
        parse_params(pairs)


@pytest.mark.parametrize("name", ["depth", "random_state", "n_jobs"])
def test_param_that_is_not_the_callers_to_set_is_refused(name: str) -> None:
    entry = ESTIMATORS["random_forest"]
    with pytest.raises(InvalidParamError, match=f"random_forest has no parameter {name} to set; allowed: bootstrap"):
        build(entry, "classification", FEATURES, params={name: 1}, **SIZES)


def test_estimator_that_does_another_task_is_refused() -> None:
    with pytest.raises(TaskMismatchError, match="ridge does regression, and the target needs classification"):
        build(ESTIMATORS["ridge"], "classification", FEATURES, params={}, **SIZES)


def test_neighbours_refuse_more_rows_than_they_should_keep() -> None:
    entry = ESTIMATORS["k_neighbors"]
    with pytest.raises(TooManyRowsError, match="k_neighbors keeps all its rows and takes at most 20000, got 20001"):
        build(entry, "regression", FEATURES, params={}, seed=0, rows=20_001, weights=1)


def test_forest_learns_from_samples_when_rows_are_many() -> None:
    entry = ESTIMATORS["random_forest"]

    def samples(rows: int, **params: Any) -> Any:
        return build(entry, "classification", FEATURES, params=params, seed=0, rows=rows, weights=1)[-1].max_samples

    assert samples(20_000) is None
    assert samples(20_001) == 20_000
    assert samples(20_001, max_samples=0.5) == 0.5
    assert samples(20_001, bootstrap=False) is None


def test_logistic_regression_takes_exact_steps_only_while_it_is_narrow() -> None:
    entry = ESTIMATORS["logistic_regression"]

    def solver(weights: int) -> Any:
        return build(entry, "classification", FEATURES, params={}, seed=0, rows=100, weights=weights)[-1].solver

    assert (solver(500), solver(501)) == ("newton-cholesky", "lbfgs")


@pytest.mark.parametrize(
    ("words", "weights"),
    [([], ""), (["balanced"], "balanced"), (["true=3", "a=b=0.5"], {"true": 3.0, "a=b": 0.5})],
)
def test_class_weights_are_balanced_or_one_for_each_label(words: list[str], weights: Any) -> None:
    assert parse_class_weight(words) == weights


@pytest.mark.parametrize("words", [["3"], ["a=much"], ["a=1", "a=2"], ["balanced", "a=1"], ["a=-1"], ["a=inf"]])
def test_class_weight_of_another_form_is_refused(words: list[str]) -> None:
    with pytest.raises(DomainError, match="class_weight must be balanced") as caught:
        parse_class_weight(words)
    assert caught.value.fields["field"] == "class_weight"


@pytest.mark.parametrize("name", ["k_neighbors", "knn", "k-nn", "K-NN", "k-neighbors"])
def test_estimator_is_known_by_the_names_people_use(name: str) -> None:
    assert estimator_named(name).name == "k_neighbors"
