"""Options are checked before any work is done."""

from typing import Any

import pytest

from features.ground.errors import DomainError
from pipeline.core.estimators import ESTIMATORS, build, estimator_named
from pipeline.core.preprocessing import Features
from pipeline.core.training_errors import InvalidParamError, TaskMismatchError, TooManyRowsError, UnknownEstimatorError
from pipeline.core.training_plan import TrainingPlan, parse_params

FEATURES = Features(names=("x",), categorical=frozenset(), dropped={})
SIZES = {"seed": 3, "rows": 100, "weights": 1}


@pytest.mark.parametrize(
    ("plan", "text"),
    [
        ({"split": "fair"}, "the split must be time or random, got fair"),
        ({"test_size": 0}, "the test size must be between 0 and 1, got 0"),
        ({"test_size": 1.0}, "the test size must be between 0 and 1, got 1.0"),
        ({"test_size": "half"}, "the test size must be between 0 and 1, got half"),
        ({"seed": -1}, "the seed must be from 0 to 4294967295, got -1"),
        ({"estimator": "magic"}, "unknown estimator magic; allowed: logistic_regression, ridge, random_forest"),
    ],
)
def test_option_out_of_range_is_refused(plan: Any, text: str) -> None:
    with pytest.raises(DomainError, match=text):
        TrainingPlan(**plan).checked()


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
