"""How good predictions are: pure functions of arrays, with no model in sight.

Classes are given as codes, 0 to n_classes - 1, in the order of the columns of the probabilities.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
import numpy.typing as npt

from features.ground.late import stats

FloatArray = npt.NDArray[np.float64]
CodeArray = npt.NDArray[np.int64]

# A forecast of exactly 0 that comes true would cost infinitely much; this is scikit-learn's bound for float64.
SMALLEST_PROBABILITY = float(np.finfo(np.float64).eps)


def roc_auc_score(codes: CodeArray, probabilities: FloatArray) -> float | None:
    """Measure how well the probabilities rank the classes.

    For two classes, the chance that a positive row is ranked above a negative one (the Mann-Whitney statistic; Hanley
    and McNeil, Radiology 143, 1982). For more, the mean over pairs of classes (M of Hand and Till, Machine Learning
    45, 2001), over the pairs that are present.

    Parameters
    ----------
    codes : ndarray of shape (n_rows,)
        True classes.
    probabilities : ndarray of shape (n_rows, n_classes)
        Forecast probabilities.

    Returns
    -------
    float or None
        0.5 is chance, 1.0 is perfect; None if fewer than two classes are present.
    """
    if probabilities.shape[1] == 2:
        return _pair_auc(probabilities[:, 1], codes == 1)
    areas = []
    for first, second in combinations(np.unique(codes).tolist(), 2):
        rows = (codes == first) | (codes == second)
        areas.append(_pair_auc(probabilities[rows, first], codes[rows] == first))
        areas.append(_pair_auc(probabilities[rows, second], codes[rows] == second))
    known = [area for area in areas if area is not None]
    return float(np.mean(known)) if known else None


def _pair_auc(scores: FloatArray, positive: npt.NDArray[np.bool_]) -> float | None:
    n_positive = int(positive.sum())
    n_negative = len(positive) - n_positive
    if not n_positive or not n_negative:
        return None
    ranks = stats.rankdata(scores)  # ties share their mean rank: half a win each
    return float((ranks[positive].sum() - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative))


def log_loss(codes: CodeArray, probabilities: FloatArray) -> float:
    """Return the mean negative log-likelihood of the true classes, in nats.

    Parameters
    ----------
    codes : ndarray of shape (n_rows,)
        True classes.
    probabilities : ndarray of shape (n_rows, n_classes)
        Forecast probabilities; below 2.2e-16 they count as that.

    Returns
    -------
    float
        Never negative, lower is better.
    """
    given = probabilities[np.arange(len(codes)), codes]
    return float(-np.log(np.clip(given, SMALLEST_PROBABILITY, 1.0)).mean())


def brier_loss(codes: CodeArray, probabilities: FloatArray) -> float:
    """Return half the mean squared distance of forecast from outcome (Brier, Monthly Weather Review 78, 1950).

    The half makes it, for two classes, the mean of (probability - outcome) squared, as most people know it.

    Parameters
    ----------
    codes : ndarray of shape (n_rows,)
        True classes.
    probabilities : ndarray of shape (n_rows, n_classes)
        Forecast probabilities.

    Returns
    -------
    float
        Between 0 and 1, lower is better.
    """
    happened = np.zeros_like(probabilities)
    happened[np.arange(len(codes)), codes] = 1.0
    return float(((probabilities - happened) ** 2).sum(axis=1).mean() / 2)


def accuracy_score(codes: CodeArray, probabilities: FloatArray) -> float:
    """Return the share of rows whose most probable class is the true one.

    Parameters
    ----------
    codes : ndarray of shape (n_rows,)
        True classes.
    probabilities : ndarray of shape (n_rows, n_classes)
        Forecast probabilities.

    Returns
    -------
    float
        Between 0 and 1.
    """
    return float((probabilities.argmax(axis=1) == codes).mean())


def decided(positive: npt.NDArray[np.bool_], called: npt.NDArray[np.bool_]) -> dict[str, float]:
    """Return what a yes-or-no decision is worth.

    Parameters
    ----------
    positive : ndarray of shape (n_rows,)
        Rows that are positive.
    called : ndarray of shape (n_rows,)
        Rows that were called positive.

    Returns
    -------
    dict of str to float
        accuracy; precision where a row was called positive, recall where one is, f1 where either.
    """
    hits, calls, actual = int((positive & called).sum()), int(called.sum()), int(positive.sum())
    return {
        "accuracy": float((positive == called).mean()),
        **({"precision": hits / calls} if calls else {}),
        **({"recall": hits / actual} if actual else {}),
        **({"f1": 2 * hits / (calls + actual)} if calls + actual else {}),
    }


def root_mean_squared_error(actual: FloatArray, predicted: FloatArray) -> float:
    """Return the root of the mean squared error, in the target's unit.

    Parameters
    ----------
    actual, predicted : ndarray of shape (n_rows,)
        True and predicted values.

    Returns
    -------
    float
        Never negative, lower is better.
    """
    return float(np.sqrt(((actual - predicted) ** 2).mean()))


def mean_absolute_error(actual: FloatArray, predicted: FloatArray) -> float:
    """Return the mean absolute error, in the target's unit.

    Parameters
    ----------
    actual, predicted : ndarray of shape (n_rows,)
        True and predicted values.

    Returns
    -------
    float
        Never negative, lower is better.
    """
    return float(np.abs(actual - predicted).mean())


def r2_score(actual: FloatArray, predicted: FloatArray) -> float | None:
    """Return the share of the target's variance that the predictions explain.

    Parameters
    ----------
    actual, predicted : ndarray of shape (n_rows,)
        True and predicted values.

    Returns
    -------
    float or None
        At most 1.0, below 0 if the mean would do better; None if the actual values do not vary.
    """
    spread = float(((actual - actual.mean()) ** 2).sum())
    if spread == 0:
        return None
    return 1.0 - float(((actual - predicted) ** 2).sum()) / spread
