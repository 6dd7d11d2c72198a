"""Whether a forecast of 30 % comes true 30 % of the time."""

from dataclasses import dataclass

import numpy as np

from pipeline.core.metrics import CodeArray, FloatArray

BINS = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class CalibrationCurve:
    """Forecast and observed frequency in the bins that hold rows.

    Attributes
    ----------
    predicted, observed : tuple of float
        Mean forecast and share that came true, by bin.
    count : tuple of int
        Rows by bin.
    """

    predicted: tuple[float, ...]
    observed: tuple[float, ...]
    count: tuple[int, ...]


def calibration_curve(codes: CodeArray, probabilities: FloatArray, *, bins: int = BINS) -> CalibrationCurve:
    """Compare forecasts with outcomes in bins of equal width.

    With two classes the forecast is the probability of the second; with more, that of the most probable class, and
    it comes true when that class is the true one (Guo et al., ICML 2017).

    Parameters
    ----------
    codes : ndarray of shape (n_rows,)
        True classes.
    probabilities : ndarray of shape (n_rows, n_classes)
        Forecast probabilities.
    bins : int
        How many bins the range from 0 to 1 is cut into.

    Returns
    -------
    CalibrationCurve
        Bins without a row are left out.
    """
    if probabilities.shape[1] == 2:
        forecast, true = probabilities[:, 1], codes == 1
    else:
        forecast, true = probabilities.max(axis=1), probabilities.argmax(axis=1) == codes
    index = np.minimum((forecast * bins).astype(np.int64), bins - 1)
    count = np.bincount(index, minlength=bins)
    held = count > 0
    predicted = np.bincount(index, weights=forecast, minlength=bins)[held] / count[held]
    observed = np.bincount(index, weights=true.astype(np.float64), minlength=bins)[held] / count[held]
    return CalibrationCurve(
        predicted=tuple(predicted.tolist()), observed=tuple(observed.tolist()), count=tuple(count[held].tolist())
    )


def expected_calibration_error(curve: CalibrationCurve) -> float:
    """Return the mean distance of forecast from outcome over the bins, weighted by rows (Naeini et al., AAAI 2015).

    Parameters
    ----------
    curve : CalibrationCurve
        The bins.

    Returns
    -------
    float
        Between 0 and 1, lower is better; it depends on how many bins there are.
    """
    distance = np.abs(np.array(curve.predicted) - np.array(curve.observed))
    return float(np.average(distance, weights=np.array(curve.count)))
