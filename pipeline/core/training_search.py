"""Look for good parameters of an estimator on training rows."""

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats
from sklearn.experimental import enable_halving_search_cv  # noqa: F401 (makes the next import possible)
from sklearn.model_selection import HalvingRandomSearchCV
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from features.ground.progress import Report
from pipeline.core import metrics
from pipeline.core.estimators import Choice, Estimator, Range
from pipeline.core.training_build import build, class_weights
from pipeline.core.training_errors import FitRefusedError, InvalidTrainingRequestError
from pipeline.core.training_fit import answers, linear_weights, on_one_thread, threads_for
from pipeline.core.training_plan import TrainingPlan
from pipeline.core.training_rows import TrainingRows

FACTOR = 3
PREFIX = "model__"


def tuned(
    entry: Estimator, plan: TrainingPlan, rows: TrainingRows, report: Report
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return parameters to train with, and the search that found them.

    Settings drawn at random are tried on few rows first; the best third goes on to three times as many, until all
    rows are used (successive halving; Jamieson and Talwalkar, AISTATS 2016). They are judged on the validation part,
    or on the folds where the plan has some.

    Parameters
    ----------
    entry : Estimator
        What is to be trained.
    plan : TrainingPlan
        `tune` is how many settings to try; what `params` sets stays as it is.
    rows : TrainingRows
        All rows; the test part is not looked at.
    report : Report
        Told what it does.

    Returns
    -------
    tuple of dict and dict
        The parameters, and method, metric, asked, best and trials; the second is empty without a search.

    Raises
    ------
    InvalidTrainingRequestError
        If the estimator has nothing to search.
    FitRefusedError
        If no setting could be trained.
    """
    if not plan.tune:
        return dict(plan.params), {}
    space = {name: values for name, values in entry.search.items() if name not in plan.params}
    if not space:
        raise InvalidTrainingRequestError(
            f"tune finds nothing to search in {entry.name}: it has no parameter with a known range, or params sets "
            "them all",
            field="tune",
        )
    report(22, f"trying {plan.tune} settings of {entry.name}")
    trials, best = _searched(entry, plan, rows, space)
    judged_on = f"{plan.cv} folds" if plan.cv else "validation"
    about = {"method": "successive halving", "metric": _metric(entry, rows), "asked": plan.tune}
    record = about | {"judged_on": judged_on, "best": best, "trials": trials}
    return {**plan.params, **best["params"]}, record


def _searched(
    entry: Estimator, plan: TrainingPlan, rows: TrainingRows, space: Mapping[str, Choice | Range]
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    train = rows.split.train
    cuts = rows.rule.folds(train, plan.cv) if plan.cv else [rows.rule.cut(train)]
    search = HalvingRandomSearchCV(
        _pipeline(entry, plan, rows),
        {f"{PREFIX}{name}": _distribution(values) for name, values in space.items()},
        n_candidates=plan.tune,
        factor=FACTOR,
        min_resources="exhaust",
        cv=[(np.searchsorted(train, cut.train), np.searchsorted(train, cut.test)) for cut in cuts],
        scoring=_score,
        refit=False,
        random_state=plan.seed,
        error_score=np.nan,
    )
    with threadpool_limits(threads_for(len(train))), warnings.catch_warnings():
        # A setting that can't be trained is kept as a trial without a score.
        warnings.simplefilter("ignore")
        try:
            search.fit(rows.frame.iloc[train], rows.target[train])
        except ValueError as error:
            raise FitRefusedError(f"no setting of {entry.name} could be trained: {error}") from error
    trials = _trials(search.cv_results_)
    best = trials[int(search.best_index_)]
    if best["score"] is None:
        raise FitRefusedError(f"no setting of {entry.name} could be trained on these rows")
    return trials, best


def _pipeline(entry: Estimator, plan: TrainingPlan, rows: TrainingRows) -> Pipeline:
    learnt, train = rows.rule.cut(rows.split.train).train, rows.split.train
    classes = np.unique(rows.target[train]).tolist() if rows.task == "classification" else []
    return build(
        entry,
        rows.task,
        rows.features,
        params=plan.params,
        seed=plan.seed,
        # Of few rows at first, so no tree may ask for a sample of many.
        rows=min(len(learnt), entry.row_samples or len(learnt)),
        weights=linear_weights(rows.frame.iloc[train], rows.features, len(classes)),
        class_weight=class_weights(plan, classes),
    )


def _distribution(values: Choice | Range) -> Any:
    if isinstance(values, Choice):
        return list(values.values)
    if values.whole:
        return stats.randint(int(values.low), int(values.high) + 1)
    return (
        stats.loguniform(values.low, values.high) if values.log else stats.uniform(values.low, values.high - values.low)
    )


def _metric(entry: Estimator, rows: TrainingRows) -> str:
    if rows.task == "regression":
        return "rmse"
    return "accuracy" if entry.calibration else "log_loss"


def _score(pipeline: Pipeline, frame: pd.DataFrame, actual: npt.NDArray[Any]) -> float:
    """Return the metric so that more is better; what a class unseen in few rows would cost is not counted."""
    model = pipeline[-1]
    on_one_thread(model)
    if not hasattr(model, "classes_"):
        return -metrics.root_mean_squared_error(actual.astype(np.float64), answers(pipeline, frame, "regression"))
    if not hasattr(model, "predict_proba"):
        return float((pipeline.predict(frame) == actual).mean())
    known = np.isin(actual, model.classes_)
    codes = np.searchsorted(model.classes_, actual[known])
    return -metrics.log_loss(codes, answers(pipeline, frame[known], "classification"))


def _trials(found: dict[str, Any]) -> list[dict[str, Any]]:
    score = found["mean_test_score"]
    return [
        {
            "params": {name.removeprefix(PREFIX): _plain(value) for name, value in params.items()},
            # As the metric is written everywhere else, and null where the setting could not be trained.
            "score": float(abs(score[at])) if np.isfinite(score[at]) else None,
            "rows": int(found["n_resources"][at]),
            "round": int(found["iter"][at]),
        }
        for at, params in enumerate(found["params"])
    ]


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
