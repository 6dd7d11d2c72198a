"""What a drawing of a model's test rows shows, in few points."""

from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.core.metrics import CodeArray, FloatArray

POINTS = 51
MAX_CLASSES = 20
BARS = 20
BANDS = 10


def ranking_curves(positive: npt.NDArray[np.bool_], shares: FloatArray) -> dict[str, Any]:
    """Return the ROC and the precision-recall curve of two classes.

    Parameters
    ----------
    positive : ndarray of shape (n_rows,)
        Rows of the second class.
    shares : ndarray of shape (n_rows,)
        Its probabilities.

    Returns
    -------
    dict
        roc: false_positive_rate, true_positive_rate. precision_recall: recall, precision, and average_precision, the
        mean precision over the cuts weighted by the recall each adds. Empty where a class has no row.
    """
    total, others = int(positive.sum()), int((~positive).sum())
    if not total or not others:
        return {}
    order = np.argsort(-shares, kind="stable")
    last = np.flatnonzero(np.append(np.diff(shares[order]) < 0, True))
    hits = np.cumsum(positive[order])[last]
    called = last + 1
    recall, precision = hits / total, hits / called
    grid = np.linspace(0, 1, POINTS)
    rate = np.concatenate([[0.0], (called - hits) / others])
    reached = np.minimum(np.searchsorted(recall, grid, side="left"), len(recall) - 1)
    return {
        "roc": {
            "false_positive_rate": _plain(grid),
            "true_positive_rate": _plain(np.interp(grid, rate, np.concatenate([[0.0], recall]))),
        },
        "precision_recall": {
            "recall": _plain(grid),
            "precision": _plain(precision[reached]),
            "average_precision": float((np.diff(recall, prepend=0.0) * precision).sum()),
        },
    }


def confusion(codes: CodeArray, called: CodeArray, classes: int) -> list[list[int]]:
    """Return how many rows of each class were called what.

    Parameters
    ----------
    codes, called : ndarray of shape (n_rows,)
        True and predicted classes.
    classes : int
        How many there are.

    Returns
    -------
    list of list of int
        A row for each true class, a column for each predicted one; empty with more than 20 classes.
    """
    if classes > MAX_CLASSES:
        return []
    counts: list[list[int]] = np.bincount(codes * classes + called, minlength=classes**2).reshape(classes, -1).tolist()
    return counts


def residuals(actual: FloatArray, predicted: FloatArray) -> dict[str, Any]:
    """Return how far predicted values are from the actual ones.

    Parameters
    ----------
    actual, predicted : ndarray of shape (n_rows,)
        Values in the target's unit.

    Returns
    -------
    dict
        edges, counts: a histogram of actual - predicted. bands: for tenths of the rows by predicted value the mean
        prediction, the 10, 50 and 90 percent points of the residual (low, median, high), and rows (count).
    """
    apart = actual - predicted
    counts, edges = np.histogram(apart, BARS)
    parts = np.array_split(np.argsort(predicted, kind="stable"), min(BANDS, len(apart)))
    points = np.array([np.quantile(apart[part], [0.1, 0.5, 0.9]) for part in parts])
    return {
        "edges": _plain(edges),
        "counts": counts.tolist(),
        "bands": {
            "predicted": [float(predicted[part].mean()) for part in parts],
            **{name: _plain(points[:, at]) for at, name in enumerate(("low", "median", "high"))},
            "count": [len(part) for part in parts],
        },
    }


def _plain(values: npt.NDArray[Any]) -> list[float]:
    # Six digits are more than a drawing shows.
    return [float(f"{value:.6g}") for value in values.tolist()]
