"""How far a metric might have come out otherwise on other rows."""

from collections.abc import Callable

import numpy as np

from pipeline.core.evaluation import Metrics
from pipeline.core.splits import IndexArray

LEVEL = 0.95
# Fewer resamples of more cells: the time of the whole stays about the same.
CELLS, FEWEST, MOST, MOST_OF_A_SLICE = 3_000_000, 100, 1000, 200
Intervals = dict[str, list[float]]


def resamples(rows: int, classes: int, *, most: int = MOST) -> int:
    """Return how often rows are drawn anew.

    Parameters
    ----------
    rows, classes : int
        What each draw has to measure.
    most : int
        For few rows.

    Returns
    -------
    int
        From 100 to `most`.
    """
    return int(np.clip(CELLS // max(rows * max(classes, 1), 1), min(FEWEST, most), most))


def bootstrap_intervals(measure: Callable[[IndexArray], Metrics], rows: int, *, seed: int, draws: int) -> Intervals:
    """Return percentile intervals of metrics (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, ch. 13).

    Rows count as drawn independently: where they hang together, by day or by customer, the truth varies more.

    Parameters
    ----------
    measure : callable
        Takes positions, some of them several times, and returns the metrics of those rows.
    rows : int
        How many rows there are.
    seed : int
        The same seed draws the same rows.
    draws : int
        How many times.

    Returns
    -------
    dict of str to list of two floats
        The middle 95 percent; without a metric that most draws leave undefined.
    """
    draw = np.random.default_rng(seed)
    found: dict[str, list[float]] = {}
    for _ in range(draws):
        for name, value in measure(draw.integers(0, rows, rows)).items():
            found.setdefault(name, []).append(value)
    tails = [(1 - LEVEL) / 2, (1 + LEVEL) / 2]
    return {
        name: [float(f"{end:.6g}") for end in np.quantile(values, tails)]
        for name, values in found.items()
        if 2 * len(values) > draws
    }
