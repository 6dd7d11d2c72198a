"""The metrics of a model, in the form a version keeps them."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.core import metrics, metrics_calibration
from pipeline.core.metrics import CodeArray, FloatArray

Metrics = dict[str, float]
Mask = npt.NDArray[np.bool_]
MIN_SLICE_ROWS = 50
MAX_SLICES = 20
QUARTILES = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Slice:
    """Metrics of the test rows that share one value.

    Attributes
    ----------
    value : str
        The value as text, or a range for a number that takes many.
    rows : int
        Test rows in it.
    metrics : dict of str to float
        As for the whole test part, where defined.
    intervals : dict of str to list of two floats
        How far each might have come out otherwise.
    """

    value: str
    rows: int
    metrics: Metrics
    intervals: dict[str, list[float]]


def classification_metrics(
    codes: CodeArray, probabilities: FloatArray, *, threshold: float | None = None, ranked: bool = True
) -> Metrics:
    """Return the metrics of class probabilities.

    Parameters
    ----------
    codes : ndarray of shape (n_rows,)
        True classes, as positions in the columns of the probabilities.
    probabilities : ndarray of shape (n_rows, n_classes)
        Forecast probabilities.
    threshold : float, optional
        Of two classes: the probability of the second from which on it is the label.
    ranked : bool
        Whether to measure roc_auc.

    Returns
    -------
    dict of str to float
        log_loss, brier, accuracy, calibration_error, and roc_auc where two classes are present; with a threshold
        precision, recall and f1 of the second class too, where defined.
    """
    curve = metrics_calibration.calibration_curve(codes, probabilities)
    area = metrics.roc_auc_score(codes, probabilities) if ranked else None
    return {
        **({"roc_auc": area} if area is not None else {}),
        "log_loss": metrics.log_loss(codes, probabilities),
        "brier": metrics.brier_loss(codes, probabilities),
        "accuracy": metrics.accuracy_score(codes, probabilities),
        "calibration_error": metrics_calibration.expected_calibration_error(curve),
        **({} if threshold is None else metrics.decided(codes == 1, probabilities[:, 1] >= threshold)),
    }


def regression_metrics(actual: FloatArray, predicted: FloatArray) -> Metrics:
    """Return the metrics of predicted values.

    Parameters
    ----------
    actual, predicted : ndarray of shape (n_rows,)
        True and predicted values.

    Returns
    -------
    dict of str to float
        rmse, mae, and r2 where the actual values vary.
    """
    share = metrics.r2_score(actual, predicted)
    return {
        "rmse": metrics.root_mean_squared_error(actual, predicted),
        "mae": metrics.mean_absolute_error(actual, predicted),
        **({"r2": share} if share is not None else {}),
    }


def calibration_dict(codes: CodeArray, probabilities: FloatArray) -> dict[str, Any]:
    """Return the calibration curve as JSON-compatible lists.

    Parameters
    ----------
    codes : ndarray of shape (n_rows,)
        True classes.
    probabilities : ndarray of shape (n_rows, n_classes)
        Forecast probabilities.

    Returns
    -------
    dict
        predicted, observed, count.
    """
    curve = asdict(metrics_calibration.calibration_curve(codes, probabilities))
    return {name: list(values) for name, values in curve.items()}


def slices(
    values: "pd.Series[Any]",
    measure: Callable[[Mask], Metrics],
    *,
    spread: Callable[[Mask], dict[str, list[float]]],
    min_rows: int = MIN_SLICE_ROWS,
) -> list[Slice]:
    """Measure the groups of rows that share a value.

    Parameters
    ----------
    values : Series of shape (n_rows,)
        The column to slice by. A number with more than 20 values is cut into quarters.
    measure : callable
        Takes a mask of shape (n_rows,) and returns the metrics of those rows.
    spread : callable
        The same for their intervals; asked of the slices that are kept.
    min_rows : int
        A group with fewer rows says little and is left out.

    Returns
    -------
    list of Slice
        The largest first, at most 20.
    """
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        values = values.astype("float64")
        if values.nunique() > MAX_SLICES:
            values = pd.qcut(values, QUARTILES, duplicates="drop")
    texts = values.map(_text, na_action="ignore").astype("str").fillna("(missing)").to_numpy(object)
    groups = [(value, texts == value) for value in pd.unique(texts).tolist()]
    large = [(value, mask) for value, mask in groups if int(mask.sum()) >= min_rows]
    kept = sorted(large, key=lambda group: (-int(group[1].sum()), group[0]))[:MAX_SLICES]
    return [
        Slice(value=value, rows=int(mask.sum()), metrics=measure(mask), intervals=spread(mask)) for value, mask in kept
    ]


def _text(value: Any) -> str:
    if isinstance(value, pd.Interval):
        return f"over {value.left:g} to {value.right:g}"
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
