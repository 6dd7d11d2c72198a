"""Fit a pipeline and ask it, telling refusals and warnings apart from faults."""

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from features.ground.errors import bounded
from pipeline.core.estimators import Task
from pipeline.core.metrics import FloatArray
from pipeline.core.preprocessing import Features
from pipeline.core.training_errors import FitRefusedError, InvalidParamError

MAX_NOTES = 10
MANY_ROWS = 20_000
Target = npt.NDArray[Any]


def fit(
    pipeline: Pipeline,
    frame: pd.DataFrame,
    target: Target,
    *,
    with_params: bool,
    calibration: str = "",
    aside: tuple[pd.DataFrame, Target] | None = None,
) -> tuple[Pipeline, list[str]]:
    """Fit the pipeline, and bring its probabilities in line with rows it has not learnt from, where asked.

    Parameters
    ----------
    pipeline : Pipeline
        Unfitted.
    frame : DataFrame of shape (n_rows, n_features)
        The features.
    target : ndarray of shape (n_rows,)
        Labels or values.
    with_params : bool
        Whether the caller set parameters, and so may be told that one of them is to blame.
    calibration : str
        sigmoid (Platt 1999), isotonic (Zadrozny and Elkan, KDD 2002), or nothing.
    aside : tuple of DataFrame and ndarray, optional
        The rows to calibrate on.

    Returns
    -------
    tuple of Pipeline and list of str
        The fitted pipeline, and what scikit-learn warned of, at most ten texts.

    Raises
    ------
    InvalidParamError, FitRefusedError
        If the estimator refuses its parameters or the rows.
    """
    name = type(pipeline[-1]).__name__
    with threadpool_limits(threads_for(len(frame))), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            if calibration and aside is not None:
                pipeline = _calibrated(pipeline, frame, target, calibration, aside)
            else:
                pipeline.fit(frame, target)
        except (ValueError, TypeError) as error:
            kind = InvalidParamError if with_params else FitRefusedError
            raise kind(f"{name} refused to be trained: {error}") from error
    on_one_thread(pipeline[-1])
    notes = dict.fromkeys(bounded(" ".join(str(item.message).split()), 200) for item in caught)
    return pipeline, list(notes)[:MAX_NOTES]


def threads_for(rows: int) -> int | None:
    """Return how many threads to fit with.

    Parameters
    ----------
    rows : int
        To learn from.

    Returns
    -------
    int or None
        One where threads would wait for each other longer than they work; None for as many as there are.
    """
    return 1 if rows < MANY_ROWS else None


def _calibrated(
    pipeline: Pipeline, frame: pd.DataFrame, target: Target, method: str, aside: tuple[pd.DataFrame, Target]
) -> Pipeline:
    prepare, model = pipeline.named_steps["prepare"], pipeline.named_steps["model"]
    learnt, held = prepare.fit_transform(frame, target), prepare.transform(aside[0])
    on_one_thread(model.fit(learnt, target))
    sparse = scipy.sparse.issparse(learnt)
    both = scipy.sparse.vstack([learnt, held], format="csr") if sparse else np.concatenate([learnt, held])
    places = np.arange(len(frame) + len(aside[0]))
    # One cut: the estimator, which is fitted already, keeps the first rows, its calibration learns from the rest.
    cut = [(places[: len(frame)], places[len(frame) :])]
    calibrated = CalibratedClassifierCV(FrozenEstimator(model), method=method, cv=cut, ensemble=True)
    calibrated.fit(both, np.concatenate([target, aside[1]]))
    # What is saved is the estimator itself, without its wrapping and the places of all rows.
    calibrated.set_params(estimator=model, cv=None)
    for pair in calibrated.calibrated_classifiers_:
        pair.estimator = model
    return Pipeline([("prepare", prepare), ("model", calibrated)])


def on_one_thread(model: Any) -> None:
    """Have a fitted model answer on one thread.

    Many threads help the fit, but they cost a single row's prediction seven times its time, and a forest on many adds
    up its trees in any order: the last bits of an answer are then others each time.

    Parameters
    ----------
    model : estimator
        Of scikit-learn.
    """
    if "n_jobs" in model.get_params(deep=False):
        model.set_params(n_jobs=None)


def inner_model(pipeline: Pipeline) -> Any:
    """Return the estimator itself, without what calibrates it.

    Parameters
    ----------
    pipeline : Pipeline
        Fitted.

    Returns
    -------
    estimator
        Of scikit-learn.
    """
    model = pipeline[-1]
    return model.estimator if isinstance(model, CalibratedClassifierCV) else model


def linear_weights(frame: pd.DataFrame, features: Features, classes: int) -> int:
    """Return how many weights a linear model of these rows has.

    Parameters
    ----------
    frame : DataFrame of shape (n_rows, n_features)
        The levels of a category are those of these rows.
    features : Features
        The columns.
    classes : int
        How many the model tells apart; 0 for a regression.

    Returns
    -------
    int
        One per number and per level, for each class where there are more than two.
    """
    levels = sum(int(frame[name].nunique(dropna=False)) for name in features.categories)
    return (len(features.numbers) + levels) * (classes if classes > 2 else 1)


def answers(pipeline: Pipeline, frame: pd.DataFrame, task: Task) -> FloatArray:
    """Return what the fitted pipeline says of the rows.

    Parameters
    ----------
    pipeline : Pipeline
        Fitted.
    frame : DataFrame of shape (n_rows, n_features)
        The features.
    task : {"classification", "regression"}
        Which kind of answer to ask for.

    Returns
    -------
    ndarray of shape (n_rows, n_classes) or (n_rows,)
        Probabilities, or values.
    """
    said = pipeline.predict_proba(frame) if task == "classification" else pipeline.predict(frame)
    return np.asarray(said, dtype=np.float64)


def simplest_answers(task: Task, learnt: Target, rows: int) -> FloatArray:
    """Return what one would say from the target alone: class shares, or the mean.

    Parameters
    ----------
    task : {"classification", "regression"}
        Which of the two.
    learnt : ndarray of shape (n_learnt,)
        Labels or values of the rows learnt from.
    rows : int
        How many rows to answer for.

    Returns
    -------
    ndarray of shape (n_rows, n_classes) or (n_rows,)
        Every row the same.
    """
    if task == "regression":
        return np.full(rows, learnt.mean(), dtype=np.float64)
    counts = np.unique(learnt, return_counts=True)[1]
    return np.tile(counts / counts.sum(), (rows, 1))
