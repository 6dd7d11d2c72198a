"""What the test rows say of a model: metrics with intervals, slices, curves."""

from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.core import curves
from pipeline.core.evaluation import MIN_SLICE_ROWS, Metrics, calibration_dict, slices
from pipeline.core.intervals import LEVEL, MOST_OF_A_SLICE, bootstrap_intervals, resamples
from pipeline.core.metrics import FloatArray
from pipeline.core.splits import IndexArray
from pipeline.core.training_fit import simplest_answers
from pipeline.core.training_model import FittedModel, Judged, measured
from pipeline.core.training_rows import TrainingRows

# Ranking each pair of many classes, hundreds of times, would take hours.
MANY_CLASSES = 10


def judged_report(
    model: FittedModel, rows: TrainingRows, held: Judged, linear: FloatArray, seed: int
) -> dict[str, Any]:
    """Measure a model, and what it must beat, on the test rows.

    Parameters
    ----------
    model : FittedModel
        The model.
    rows : TrainingRows
        All rows.
    held : Judged
        What it said of the test rows.
    linear : ndarray of shape (n_test, n_classes) or (n_test,)
        What the linear baseline said of them.
    seed : int
        Of the bootstrap.

    Returns
    -------
    dict
        test, baseline, linear_baseline, intervals, slices, calibration, curves.
    """
    simple = simplest_answers(rows.task, rows.target[model.learnt], len(held.rows))
    draws = resamples(len(held.rows), len(model.classes))
    ranked = len(model.classes) <= MANY_CLASSES

    def of(answered: FloatArray) -> Metrics:
        return measured(model, held.actual, answered)

    def drawn(places: IndexArray) -> Metrics:
        return measured(model, held.actual[places], held.said[places], ranked=ranked)

    intervals = bootstrap_intervals(drawn, len(held.rows), seed=seed, draws=draws)
    return {
        "test": of(held.said),
        "baseline": of(simple),
        "linear_baseline": of(linear),
        "intervals": {"level": LEVEL, "method": "percentile bootstrap", "resamples": draws, "test": intervals},
        "slices": _slices(model, rows, held, seed),
        "calibration": calibration_dict(held.actual, held.said) if model.classes else {},
        "curves": _curves(model, held),
    }


def _slices(model: FittedModel, rows: TrainingRows, held: Judged, seed: int) -> dict[str, Any]:
    def within(mask: npt.NDArray[np.bool_]) -> Metrics:
        return measured(model, held.actual[mask], held.said[mask])

    def spread(mask: npt.NDArray[np.bool_]) -> dict[str, list[float]]:
        actual, said = held.actual[mask], held.said[mask]
        draws = resamples(len(actual), len(model.classes), most=MOST_OF_A_SLICE)
        ranked = len(model.classes) <= MANY_CLASSES

        def drawn(places: IndexArray) -> Metrics:
            return measured(model, actual[places], said[places], ranked=ranked)

        return bootstrap_intervals(drawn, len(actual), seed=seed, draws=draws)

    test = rows.sliced.iloc[held.rows]
    return {
        str(name): [asdict(group) for group in slices(test[name], within, spread=spread, min_rows=MIN_SLICE_ROWS)]
        for name in test
    }


def _curves(model: FittedModel, held: Judged) -> dict[str, Any]:
    if not model.classes:
        return {"residuals": curves.residuals(held.actual, held.said)}
    called = held.said.argmax(axis=1)
    if model.threshold is not None:
        called = (held.said[:, 1] >= model.threshold.value).astype(np.int64)
    counts = curves.confusion(held.actual, called, len(model.classes))
    two = len(model.classes) == 2
    return {
        **(curves.ranking_curves(held.actual == 1, held.said[:, 1]) if two else {}),
        **({"confusion": {"classes": model.classes, "counts": counts}} if counts else {}),
    }
