"""From an estimator of the registry to a pipeline that can be fitted."""

from collections.abc import Mapping
from typing import Any

from sklearn.pipeline import Pipeline

from features.ground.errors import bounded
from pipeline.core.estimators import ESTIMATORS, Estimator, Task
from pipeline.core.preprocessing import Features, preprocessor
from pipeline.core.training_errors import InvalidParamError, TaskMismatchError, TooManyRowsError

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
    narrow = entry.narrow_defaults if weights <= NARROW_WEIGHTS else {}
    known = model.get_params()
    chosen = {**entry.defaults, **narrow, **_checked(entry, known, params)}
    if entry.row_samples is not None and rows > entry.row_samples and chosen.get("bootstrap"):
        chosen.setdefault("max_samples", entry.row_samples)
    managed = {"random_state": seed, "n_jobs": -1 if entry.row_samples else None}
    chosen |= {name: value for name, value in managed.items() if name in known and value is not None}
    if class_weight:
        chosen["class_weight"] = _weighable(entry, task, known, class_weight)
    model.set_params(**chosen)
    prepare = preprocessor(features, scales=entry.scales, imputes=entry.imputes, one_hot=entry.one_hot)
    return Pipeline([("prepare", prepare), ("model", model)])


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


def _weighable(entry: Estimator, task: Task, known: Mapping[str, Any], asked: ClassWeight) -> Any:
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
    return asked if isinstance(asked, str) else dict(asked)
