"""What else is learnt of a model from its training rows: folds, and what it looks at."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.inspection import permutation_importance
from sklearn.pipeline import Pipeline

from pipeline.core import metrics
from pipeline.core.estimators import Estimator, Task
from pipeline.core.metrics import FloatArray
from pipeline.core.training_fit import answers
from pipeline.core.training_model import FittedModel, fit_model, judge, known_classes, measured
from pipeline.core.training_plan import TrainingPlan
from pipeline.core.training_rows import TrainingRows

IMPORTANCE_ROWS = 2000
REPEATS = 5
MANY_FEATURES = 500


def cross_validated(entry: Estimator, plan: TrainingPlan, rows: TrainingRows, params: dict[str, Any]) -> dict[str, Any]:
    """Train and judge on folds of the training part.

    Parameters
    ----------
    entry : Estimator
        What to train.
    plan : TrainingPlan
        How; each fold is trained as the model itself is, with a validation part of its own where one is needed.
    rows : TrainingRows
        All rows; the test part is not looked at.
    params : dict
        Parameters of the estimator.

    Returns
    -------
    dict
        folds, kind, scores (metrics of each fold), mean and sd (over the folds that have the metric). Empty where no
        folds are asked for.
    """
    if not plan.cv:
        return {}
    scores = []
    for fold in rows.rule.folds(rows.split.train, plan.cv):
        model = fit_model(entry, plan, rows, fold.train, params=params)
        held = judge(model, rows, fold.test)
        scores.append(measured(model, held.actual, held.said))
    table = pd.DataFrame(scores)
    spread = table.std(ddof=1).dropna()
    return {
        "folds": plan.cv,
        "kind": rows.rule.kind,
        "scores": scores,
        "mean": {str(name): float(value) for name, value in table.mean().items()},
        "sd": {str(name): float(value) for name, value in spread.items()},
    }


def importance(
    entry: Estimator, plan: TrainingPlan, rows: TrainingRows, model: FittedModel, params: dict[str, Any]
) -> dict[str, Any]:
    """Measure how much worse a model gets when a column's values are shuffled (Breiman, Machine Learning 45, 2001).

    Parameters
    ----------
    entry : Estimator
        What was trained.
    plan : TrainingPlan
        How.
    rows : TrainingRows
        All rows; the test part is not looked at.
    model : FittedModel
        Asked about its validation rows. One that has none is trained again without those of a validation part.
    params : dict
        Parameters of the estimator.

    Returns
    -------
    dict
        metric, part, rows, repeats; features: mean and sd of the rise by column, the largest first. Empty where
        neither asked for nor to be had for free.
    """
    held = model.validation
    if not len(held):
        if not plan.importance:
            return {}
        cut = rows.rule.cut(rows.split.train)
        plain = replace(plan, calibrate="", threshold_goal="")
        model, held = fit_model(entry, plain, rows, cut.train, params=params), cut.test
    held, actual = known_classes(rows, held, model.classes)
    chosen = np.sort(np.random.default_rng(plan.seed).permutation(len(held))[:IMPORTANCE_ROWS])
    repeats = max(1, min(REPEATS, MANY_FEATURES // len(rows.features.names)))
    found = permutation_importance(
        model.pipeline,
        rows.frame.iloc[held[chosen]],
        actual[chosen],
        scoring=_scorer(rows.task),
        n_repeats=repeats,
        random_state=plan.seed,
    )
    return {
        "metric": "log_loss" if rows.task == "classification" else "rmse",
        "part": "validation",
        "rows": len(chosen),
        "repeats": repeats,
        "features": _by_mean(rows.features.names, found.importances_mean, found.importances_std),
    }


def _by_mean(names: Sequence[str], mean: FloatArray, sd: FloatArray) -> dict[str, dict[str, float]]:
    order = np.argsort(-mean, kind="stable")
    return {names[at]: {"mean": float(mean[at]), "sd": float(sd[at])} for at in order.tolist()}


def _scorer(task: Task) -> Any:
    def score(pipeline: Pipeline, frame: pd.DataFrame, actual: npt.NDArray[Any]) -> float:
        said = answers(pipeline, frame, task)
        if task == "classification":
            return -metrics.log_loss(actual.astype(np.int64), said)
        return -metrics.root_mean_squared_error(actual, said)

    return score
