"""From an estimator of the registry to a pipeline that can be fitted."""

from collections.abc import Mapping
from typing import Any

from sklearn.pipeline import Pipeline

from features.ground.errors import bounded
from pipeline.core.estimators import ESTIMATORS, Estimator, Task
from pipeline.core.preprocessing import Features, preprocessor
from pipeline.core.training_errors import (
    InvalidParamError,
    InvalidTrainingRequestError,
    TaskMismatchError,
    TooManyRowsError,
)
from pipeline.core.training_plan import TrainingPlan

NARROW_WEIGHTS = 500
# What a fit is given from elsewhere, or must not have.
MANAGED = frozenset({"random_state", "n_jobs", "verbose", "warm_start", "oob_score", "categorical_features"})
ClassWeight = str | Mapping[Any, float]


def build(
    entry: Estimator,
    task: Task,
    features: Features,
    *,
    params: Mapping[str, Any],
    seed: int,
    rows: int,
    weights: int,
    class_weight: ClassWeight = "",
) -> Pipeline:
    """Return the unfitted pipeline: preprocessing, then the model.

    Parameters
    ----------
    entry : Estimator
        The registered estimator.
    task : {"classification", "regression"}
        What it is to do.
    features : Features
        The columns it takes.
    params : mapping
        What the caller set of the estimator's parameters.
    seed : int
        Of the estimator.
    rows, weights : int
        Training rows to come, and how many weights a linear model of them would have.
    class_weight : "balanced" or mapping of label to float
        How much a row of each class counts; empty for one and all alike.

    Returns
    -------
    Pipeline
        With the steps `prepare` and `model`.

    Raises
    ------
    TaskMismatchError, TooManyRowsError, InvalidParamError
        If the estimator does not do the task, is not made for so many rows, or has no such parameter.
    """
    _check_fit(entry, task, rows)
    model = entry.make[task]()
    known, narrow = model.get_params(), entry.narrow_defaults if weights <= NARROW_WEIGHTS else {}
    chosen = {**entry.defaults, **narrow, **_checked(entry, known, params)}
    if entry.row_samples is not None and rows > entry.row_samples and chosen.get("bootstrap"):
        chosen.setdefault("max_samples", entry.row_samples)
    weighed = _weighable(entry, task, known, class_weight) if class_weight else {}
    model.set_params(**(chosen | weighed | _managed(entry, known, seed)))
    prepare = preprocessor(features, scales=entry.scales, imputes=entry.imputes, one_hot=entry.one_hot)
    return Pipeline([("prepare", prepare), ("model", model)])


def class_weights(plan: TrainingPlan, classes: list[Any]) -> str | dict[Any, float]:
    """Return how much a row of each class counts.

    Parameters
    ----------
    plan : TrainingPlan
        What was asked for, labels as text.
    classes : list
        The labels there are.

    Returns
    -------
    str or dict of label to float
        A weight for each class, `balanced`, or nothing.

    Raises
    ------
    InvalidTrainingRequestError
        If a label isn't there.
    """
    if isinstance(plan.class_weight, str):
        return plan.class_weight
    # As JSON spells them, or as Python does.
    by_name = {str(label): label for label in classes} | {
        str(label).lower(): label for label in classes if isinstance(label, bool)
    }
    for name in plan.class_weight:
        if name not in by_name:
            raise InvalidTrainingRequestError(
                f"class_weight names {bounded(name)}, which is no label of the training rows; "
                f"allowed: {bounded(', '.join(str(label) for label in classes), 300)}",
                field="class_weight",
            )
    given = {by_name[name]: float(weight) for name, weight in plan.class_weight.items()}
    return {label: given.get(label, 1.0) for label in classes}


def _managed(entry: Estimator, known: Mapping[str, Any], seed: int) -> dict[str, Any]:
    managed = {"random_state": seed, "n_jobs": -1 if entry.row_samples else None}
    return {name: value for name, value in managed.items() if name in known and value is not None}


def _check_fit(entry: Estimator, task: Task, rows: int) -> None:
    if task not in entry.make:
        raise TaskMismatchError(
            f"{entry.name} does {' and '.join(entry.tasks)}, and the target needs {task}; "
            f"for that use {', '.join(other.name for other in ESTIMATORS.values() if task in other.make)}",
            estimator=entry.name,
            task=task,
        )
    if entry.max_rows is not None and rows > entry.max_rows:
        raise TooManyRowsError(
            f"{entry.name} keeps all its rows and takes at most {entry.max_rows}, got {rows}", rows=rows
        )


def _checked(entry: Estimator, known: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
    allowed = sorted(set(known) - MANAGED)
    for name in params:
        if name not in allowed:
            raise InvalidParamError(
                f"{entry.name} has no parameter {bounded(name)} to set; allowed: {', '.join(allowed)}",
                param=name,
                allowed=allowed,
            )
    return dict(params)


def _weighable(entry: Estimator, task: Task, known: Mapping[str, Any], asked: ClassWeight) -> dict[str, Any]:
    if task != "classification" or "class_weight" not in known:
        able = [
            other.name
            for other in ESTIMATORS.values()
            if "classification" in other.make and "class_weight" in other.make["classification"]().get_params()
        ]
        raise InvalidParamError(
            f"{entry.name} for {task} takes no class weights; these do, for classification: {', '.join(able)}",
            param="class_weight",
        )
    return {"class_weight": asked if isinstance(asked, str) else dict(asked)}
