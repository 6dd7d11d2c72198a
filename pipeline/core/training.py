"""Train a model on a table and judge it, with no database and no files."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from sklearn.pipeline import Pipeline

from features.ground.progress import Report, silent
from pipeline.core.estimators import ESTIMATORS, LINEAR, Estimator, Task, estimator_named
from pipeline.core.preprocessing import Features
from pipeline.core.splits import IndexArray
from pipeline.core.training_checks import cross_validated, importance
from pipeline.core.training_columns import Columns
from pipeline.core.training_fit import inner_model
from pipeline.core.training_model import FittedModel, Judged, fit_model, judge
from pipeline.core.training_plan import TrainingPlan
from pipeline.core.training_report import judged_report
from pipeline.core.training_rows import TrainingRows, training_rows
from pipeline.core.training_search import tuned


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainedModel:
    """A fitted pipeline and what is known of it.

    Attributes
    ----------
    pipeline : Pipeline
        Takes a DataFrame of the features; answers original labels or values.
    estimator : str
        Its name in the registry.
    task : {"classification", "regression"}
        What it does.
    classes : list
        Labels in the order of the probabilities; empty for a regression.
    threshold : float or None
        Probability of the second class from which on it is the label; None for the most probable class.
    features : Features
        The columns it takes.
    metrics : dict
        test, baseline, linear_baseline, intervals, slices, rows, calibration, curves, importance, cross_validation,
        features.
    params : dict
        What is needed to train it again.
    test : DataFrame
        The features of the test rows.
    judged : Judged
        The same rows: where each stands in the snapshot's table, what was true, and what the model said.
    """

    pipeline: Pipeline
    estimator: str
    task: Task
    classes: list[Any]
    threshold: float | None
    features: Features
    metrics: dict[str, Any]
    params: dict[str, Any]
    test: pd.DataFrame
    judged: Judged


def train_on(
    table: pa.Table,
    columns: Columns,
    plan: TrainingPlan,
    *,
    own: Mapping[str, Estimator] = MappingProxyType({}),
    report: Report = silent,
) -> TrainedModel:
    """Train on the table as planned, and measure on rows that were kept apart.

    Parameters
    ----------
    table : pyarrow.Table of n_rows rows
        A snapshot.
    columns : sequence of mapping
        Its columns: name, dtype, role, and what the contract of the data says.
    plan : TrainingPlan
        How to train.
    own : mapping of str to Estimator
        Estimators the project registers itself.
    report : Report
        Told how far it is, from 20 to 80 percent.

    Returns
    -------
    TrainedModel
        Equal for equal arguments.

    Raises
    ------
    PipelineError
        If it can't be done, by its reason; see `training_errors`.
    """
    plan.check()
    entry = estimator_named(plan.estimator, own)
    report(20, "splitting")
    total, rows = table.num_rows, training_rows(table, columns, plan, entry)
    del table  # as large as the frame, and not needed again
    params, search = tuned(entry, plan, rows, report)
    report(30, f"fitting {entry.name} on {len(rows.split.train)} rows")
    model = fit_model(entry, plan, rows, rows.split.train, params=params)
    folds = cross_validated(entry, plan, rows, params)
    aside = {"cross_validation": folds, "importance": importance(entry, plan, rows, model, params)}
    report(65, "fitting the linear baseline")
    held = judge(model, rows, rows.split.test)
    linear = _linear(entry, plan, rows, model, held)
    report(75, "measuring")
    return _finished(entry, plan, rows, model, held, linear, aside, search, total)


def _linear(
    entry: Estimator, plan: TrainingPlan, rows: TrainingRows, model: FittedModel, held: Judged
) -> npt.NDArray[np.float64]:
    """Return what a plain linear model of the same rows says of the test rows."""
    linear = ESTIMATORS[LINEAR[rows.task]]
    plain = not (plan.params or plan.tune or plan.class_weight or model.calibration)
    if entry is linear and plain:
        return held.said  # the model is the linear baseline itself
    baseline = fit_model(linear, TrainingPlan(seed=plan.seed), rows, model.learnt, params={})
    return judge(baseline, rows, held.rows).said


def _finished(
    entry: Estimator,
    plan: TrainingPlan,
    rows: TrainingRows,
    model: FittedModel,
    held: Judged,
    linear: npt.NDArray[np.float64],
    aside: dict[str, Any],
    search: dict[str, Any],
    total: int,
) -> TrainedModel:
    counts = {
        "total": total,
        "unlabelled": rows.unlabelled,
        "left_out": len(rows.target) - len(rows.split.test) - len(model.learnt) - len(model.validation),
        "train": len(model.learnt),
        "validation": len(model.validation),
        "test": len(held.rows),
        "test_unseen_class": len(rows.split.test) - len(held.rows),
    }
    learnt = rows.frame.iloc[model.learnt]
    means = {"rows": counts, "features": _means(learnt[rows.features.numbers])}
    return TrainedModel(
        pipeline=model.pipeline,
        estimator=entry.name,
        task=rows.task,
        classes=model.classes,
        threshold=model.threshold.value if model.threshold else None,
        features=rows.features,
        metrics=judged_report(model, rows, held, linear, plan.seed) | means | aside,
        params=_params(entry, plan, rows, model) | ({"search": search} if search else {}),
        test=rows.frame.iloc[held.rows],
        judged=Judged(rows=rows.positions[held.rows], actual=held.actual, said=held.said),
    )


def _means(numbers: pd.DataFrame) -> dict[str, float]:
    means = {str(name): float(value) for name, value in numbers.mean().items()}
    return {name: value for name, value in means.items() if np.isfinite(value)}


def _params(entry: Estimator, plan: TrainingPlan, rows: TrainingRows, model: FittedModel) -> dict[str, Any]:
    plain = (str, int, float, bool, type(None))
    return {
        "estimator": entry.name,
        "estimator_params": {
            name: value
            for name, value in inner_model(model.pipeline).get_params().items()
            if isinstance(value, plain) and value != "deprecated"
        },
        "given_params": dict(plan.params),
        "class_weight": plan.class_weight or None,
        "calibration": model.calibration or None,
        "threshold": model.threshold.as_dict() | {"goal": plan.threshold_goal} if model.threshold else None,
        "target": rows.name,
        "seed": plan.seed,
        "split": {
            "kind": rows.rule.kind,
            "test_size": plan.test_size,
            "cut": None if rows.split.cut is None else f"{rows.split.cut}Z",
            # Two versions with equal digests were tested on the same rows of their snapshot.
            "test_rows_digest": _digest(rows.split.test),
            **({"validation_rows_digest": _digest(model.validation)} if len(model.validation) else {}),
        },
        "features": {"numbers": rows.features.numbers, "categories": rows.features.categories},
        "dropped": rows.features.dropped,
        "notes": model.notes,
    }


def _digest(rows: IndexArray) -> str:
    return hashlib.sha256(rows.astype("<i8").tobytes()).hexdigest()
