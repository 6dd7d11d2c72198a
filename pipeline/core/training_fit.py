"""Fit a pipeline and ask it, telling refusals and warnings apart from faults."""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from features.ground.errors import bounded
from pipeline.core.estimators import Task
from pipeline.core.evaluation import Metrics, classification_metrics, regression_metrics
from pipeline.core.metrics import CodeArray, FloatArray
from pipeline.core.preprocessing import Features
from pipeline.core.training_errors import FitRefusedError, InvalidParamError

MAX_NOTES = 10
MANY_ROWS = 20_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Parts:
    """The rows to learn from and those to test on.

    Attributes
    ----------
    task : {"classification", "regression"}
        What the target asks for.
    classes : list
        Labels in the order of the probabilities; empty for a regression.
    train, test : DataFrame
        The features.
    train_target : ndarray of shape (n_train,)
        Labels or values.
    test_target : ndarray of shape (n_test,)
        Class codes or values.
    """

    task: Task
    classes: list[Any]
    train: pd.DataFrame
    train_target: npt.NDArray[Any]
    test: pd.DataFrame
    test_target: npt.NDArray[Any]


def fit(pipeline: Pipeline, parts: Parts, *, with_params: bool) -> list[str]:
    """Fit the pipeline in place.

    Parameters
    ----------
    pipeline : Pipeline
        Unfitted.
    parts : Parts
        Only the training part is looked at.
    with_params : bool
        Whether the caller set parameters, and so may be told that one of them is to blame.

    Returns
    -------
    list of str
        What scikit-learn warned of, at most ten texts.

    Raises
    ------
    InvalidParamError, FitRefusedError
        If the estimator refuses its parameters or the rows.
    """
    # On few rows, threads wait for each other longer than they work.
    threads = 1 if len(parts.train) < MANY_ROWS else None
    with threadpool_limits(threads), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            pipeline.fit(parts.train, parts.train_target)
        except (ValueError, TypeError) as error:
            kind = InvalidParamError if with_params else FitRefusedError
            raise kind(f"{type(pipeline[-1]).__name__} refused to be trained: {error}") from error
    model = pipeline[-1]
    if "n_jobs" in model.get_params():
        # Many threads help the fit and cost a single row's prediction seven times its time.
        model.set_params(n_jobs=None)
    return list(dict.fromkeys(bounded(" ".join(str(item.message).split()), 200) for item in caught))[:MAX_NOTES]


def linear_weights(parts: Parts, features: Features) -> int:
    """Return how many weights a linear model of these rows has.

    Parameters
    ----------
    parts : Parts
        The levels of a category are those of the training rows.
    features : Features
        The columns.

    Returns
    -------
    int
        One per number and per level, for each class where there are more than two.
    """
    levels = sum(int(parts.train[name].nunique(dropna=False)) for name in features.categories)
    return (len(features.numbers) + levels) * (len(parts.classes) if len(parts.classes) > 2 else 1)


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


def simplest_answers(parts: Parts) -> FloatArray:
    """Return what one would say of the test rows from the target alone: class shares, or the mean.

    Parameters
    ----------
    parts : Parts
        The shares and the mean are those of the training rows.

    Returns
    -------
    ndarray of shape (n_test, n_classes) or (n_test,)
        Every row the same.
    """
    rows = len(parts.test)
    if parts.task == "regression":
        return np.full(rows, parts.train_target.mean(), dtype=np.float64)
    counts = np.unique(parts.train_target, return_counts=True)[1]
    return np.tile(counts / counts.sum(), (rows, 1))


def measured(task: Task, target: CodeArray | FloatArray, said: FloatArray) -> Metrics:
    """Return the task's metrics.

    Parameters
    ----------
    task : {"classification", "regression"}
        Which ones.
    target : ndarray of shape (n_rows,)
        Class codes, or values.
    said : ndarray of shape (n_rows, n_classes) or (n_rows,)
        Probabilities, or values.

    Returns
    -------
    dict of str to float
        Those that are defined and finite.
    """
    if task == "classification":
        found = classification_metrics(target.astype(np.int64), said)
    else:
        found = regression_metrics(target.astype(np.float64), said)
    return {name: value for name, value in found.items() if np.isfinite(value)}
