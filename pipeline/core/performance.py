"""How good served predictions turned out to be, once their outcomes are known."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pipeline.core.evaluation import Metrics, classification_metrics, regression_metrics


@dataclass(frozen=True, kw_only=True, slots=True)
class Labelled:
    """One served row whose outcome is known.

    Parameters
    ----------
    prediction : Any
        What was said.
    probabilities : sequence of float, optional
        One share per class.
    actual : Any
        What happened: a label of the model, or a number.
    """

    prediction: Any
    probabilities: Sequence[float] | None
    actual: Any


@dataclass(frozen=True, kw_only=True, slots=True)
class VersionPerformance:
    """What one version's served rows are worth.

    Parameters
    ----------
    version : str
        MODEL@N.
    rows, labelled : int
        Rows served, and those whose outcome is known.
    metrics : dict of str to float
        Of the labelled rows; empty where there is none.
    test : dict of str to float
        The same metrics as measured when the version was trained.
    """

    version: str
    rows: int
    labelled: int
    metrics: Metrics = field(default_factory=dict)
    test: Metrics = field(default_factory=dict)


def served_metrics(rows: Sequence[Labelled], output_schema: Mapping[str, Any]) -> Metrics:
    """Measure predictions against outcomes.

    Parameters
    ----------
    rows : sequence of Labelled
        Served rows of one version.
    output_schema : mapping
        The version's task and classes.

    Returns
    -------
    dict of str to float
        As `evaluation` gives them; only `accuracy` for a classifier without probabilities; empty without rows.
    """
    if not rows:
        return {}
    classes = output_schema.get("classes") or []
    if not classes:
        actual = np.array([row.actual for row in rows], dtype=np.float64)
        return regression_metrics(actual, np.array([row.prediction for row in rows], dtype=np.float64))
    if any(row.probabilities is None for row in rows):
        return {"accuracy": float(np.mean([row.prediction == row.actual for row in rows]))}
    codes = np.array([classes.index(row.actual) for row in rows], dtype=np.int64)
    shares = np.array([row.probabilities for row in rows], dtype=np.float64)
    return classification_metrics(codes, shares, threshold=output_schema.get("threshold"))
