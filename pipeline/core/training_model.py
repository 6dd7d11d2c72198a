"""One model of some rows: cut a validation part where one is needed, fit, calibrate, choose the threshold."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.pipeline import Pipeline

from features.ground.errors import bounded
from pipeline.core.estimators import Estimator
from pipeline.core.evaluation import Metrics, classification_metrics, regression_metrics
from pipeline.core.metrics import FloatArray
from pipeline.core.splits import IndexArray
from pipeline.core.thresholds import Threshold, choose_threshold
from pipeline.core.training_build import build, class_weights
from pipeline.core.training_errors import EmptySplitError, InvalidTrainingRequestError, SingleClassError
from pipeline.core.training_fit import answers, fit, linear_weights
from pipeline.core.training_plan import TrainingPlan
from pipeline.core.training_rows import TrainingRows


@dataclass(frozen=True, kw_only=True, slots=True)
class FittedModel:
    """A fitted pipeline and the rows it comes from.

    Attributes
    ----------
    pipeline : Pipeline
        Takes a DataFrame of the features; answers original labels or values.
    classes : list
        Labels in the order of the probabilities; empty for a regression.
    learnt, validation : ndarray of int
        Positions of the rows it learnt from, and of those it was adjusted by; the second may be empty.
    calibration : str
        How its probabilities were calibrated; empty if they were not.
    notes : list of str
        What scikit-learn warned of.
    threshold : Threshold or None
        From which probability on it says the second class.
    """

    pipeline: Pipeline
    classes: list[Any]
    learnt: IndexArray
    validation: IndexArray
    calibration: str
    notes: list[str]
    threshold: Threshold | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """Rows a model was asked about, and what it said.

    Attributes
    ----------
    rows : ndarray of shape (n_rows,)
        Positions.
    actual : ndarray of shape (n_rows,)
        Class codes, or values.
    said : ndarray of shape (n_rows, n_classes) or (n_rows,)
        Probabilities, or values.
    """

    rows: IndexArray
    actual: npt.NDArray[Any]
    said: FloatArray


def fit_model(
    entry: Estimator, plan: TrainingPlan, rows: TrainingRows, where: IndexArray, *, params: Mapping[str, Any]
) -> FittedModel:
    """Fit a model as planned.

    Parameters
    ----------
    entry : Estimator
        What to fit.
    plan : TrainingPlan
        Seed, class weights, calibration, goal of the threshold.
    rows : TrainingRows
        All rows.
    where : ndarray of int
        Positions of those that may be looked at; a validation part, if needed, is cut from them by the same rule.
    params : mapping
        Parameters of the estimator.

    Returns
    -------
    FittedModel
        What was fitted.

    Raises
    ------
    PipelineError
        If the rows or the parameters don't allow it.
    """
    calibration = (plan.calibrate or entry.calibration or "") if rows.task == "classification" else ""
    _check_task(plan, rows)
    learnt, validation = where, where[:0]
    if calibration or plan.threshold_goal:
        cut = rows.rule.cut(where)
        learnt, validation = cut.train, cut.test
    classes = _classes(rows, learnt)
    validation, _ = known_classes(rows, validation, classes)
    pipeline, notes = fit(
        _unfitted(entry, plan, rows, learnt, classes, params),
        rows.frame.iloc[learnt],
        rows.target[learnt],
        with_params=bool(params),
        calibration=calibration,
        aside=(rows.frame.iloc[validation], rows.target[validation]),
    )
    fitted = FittedModel(
        pipeline=pipeline, classes=classes, learnt=learnt, validation=validation, calibration=calibration, notes=notes
    )
    return _with_threshold(fitted, plan, rows)


def _unfitted(
    entry: Estimator,
    plan: TrainingPlan,
    rows: TrainingRows,
    learnt: IndexArray,
    classes: list[Any],
    params: Mapping[str, Any],
) -> Pipeline:
    return build(
        entry,
        rows.task,
        rows.features,
        params=params,
        seed=plan.seed,
        rows=len(learnt),
        weights=linear_weights(rows.frame.iloc[learnt], rows.features, len(classes)),
        class_weight=class_weights(plan, classes),
    )


def judge(model: FittedModel, rows: TrainingRows, where: IndexArray) -> Judged:
    """Ask a model about rows; those of a class it can't know are left out.

    Parameters
    ----------
    model : FittedModel
        Fitted.
    rows : TrainingRows
        All rows.
    where : ndarray of int
        Positions to ask about.

    Returns
    -------
    Judged
        At least one row.

    Raises
    ------
    EmptySplitError
        If no row has a class the model knows.
    """
    kept, actual = known_classes(rows, where, model.classes)
    if not len(kept):
        raise EmptySplitError("no test row has a class that is in the training rows; use --split random")
    return Judged(rows=kept, actual=actual, said=answers(model.pipeline, rows.frame.iloc[kept], rows.task))


def measured(model: FittedModel, actual: npt.NDArray[Any], said: FloatArray, *, ranked: bool = True) -> Metrics:
    """Return the metrics of the model's task.

    Parameters
    ----------
    model : FittedModel
        Tells the task by its classes, and its threshold.
    actual : ndarray of shape (n_rows,)
        Class codes, or values.
    said : ndarray of shape (n_rows, n_classes) or (n_rows,)
        Probabilities, or values.
    ranked : bool
        Whether to measure how well classes are ranked too.

    Returns
    -------
    dict of str to float
        Those that are defined and finite.
    """
    if model.classes:
        threshold = model.threshold.value if model.threshold else None
        found = classification_metrics(actual.astype(np.int64), said, threshold=threshold, ranked=ranked)
    else:
        found = regression_metrics(actual.astype(np.float64), said)
    return {name: value for name, value in found.items() if np.isfinite(value)}


def known_classes(rows: TrainingRows, where: IndexArray, classes: list[Any]) -> tuple[IndexArray, npt.NDArray[Any]]:
    """Return the rows whose class is known, and their codes; for a regression all rows, and their values.

    Parameters
    ----------
    rows : TrainingRows
        All rows.
    where : ndarray of int
        Positions.
    classes : list
        Those a model can give a probability to; empty for a regression.

    Returns
    -------
    tuple of ndarray and ndarray
        Positions, and class codes or values.
    """
    if not classes:
        return where, rows.target[where]
    known = np.array(classes, dtype=rows.target.dtype)
    kept = where[np.isin(rows.target[where], known)]
    return kept, np.searchsorted(known, rows.target[kept])


def _classes(rows: TrainingRows, learnt: IndexArray) -> list[Any]:
    if rows.task == "regression":
        return []
    classes: list[Any] = np.unique(rows.target[learnt]).tolist()
    if len(classes) < 2:
        raise SingleClassError(
            f"all {len(learnt)} training rows have the same target, {bounded(classes[0])}; "
            "a classifier needs two classes",
            rows=len(learnt),
        )
    return classes


def _check_task(plan: TrainingPlan, rows: TrainingRows) -> None:
    asked = {"calibrate": plan.calibrate, "threshold_goal": plan.threshold_goal, "class_weight": plan.class_weight}
    for name, value in asked.items():
        if value and rows.task == "regression":
            raise InvalidTrainingRequestError(
                f"{name} is for a classification, and {rows.name} needs a regression", field=name
            )


def _with_threshold(model: FittedModel, plan: TrainingPlan, rows: TrainingRows) -> FittedModel:
    if plan.goal is None:
        return model
    if len(model.classes) != 2:
        raise InvalidTrainingRequestError(
            f"threshold_goal is for two classes, and {rows.name} has {len(model.classes)}", field="threshold_goal"
        )
    held = judge(model, rows, model.validation)
    chosen = choose_threshold(held.actual == 1, held.said[:, 1], plan.goal)
    return replace(model, threshold=chosen)
