"""Train a model on a table and judge it, with no database and no files."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from sklearn.pipeline import Pipeline

from features.ground.errors import bounded
from features.ground.progress import Report, silent
from pipeline.core.estimators import ESTIMATORS, LINEAR, Estimator, Task, build
from pipeline.core.evaluation import Metrics, calibration_dict, slices
from pipeline.core.metrics import FloatArray
from pipeline.core.preprocessing import Features, choose_features
from pipeline.core.splits import Split, random_split, time_split
from pipeline.core.training_errors import (
    EmptySplitError,
    ModelTaskError,
    NoTimestampError,
    SingleClassError,
    UnknownSliceError,
)
from pipeline.core.training_fit import Parts, answers, fit, linear_weights, measured, simplest_answers
from pipeline.core.training_frame import Columns, LabelledRows, labelled_rows, target_name
from pipeline.core.training_model import Judged
from pipeline.core.training_plan import TrainingPlan


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
    features : Features
        The columns it takes.
    metrics : dict
        test, baseline, linear_baseline, slices, rows, calibration, features.
    params : dict
        What is needed to train it again.
    test : DataFrame
        The features of the test rows.
    judged : Judged
        The same rows: where each stands, what was true, and what the model said.
    """

    pipeline: Pipeline
    estimator: str
    task: Task
    classes: list[Any]
    features: Features
    metrics: dict[str, Any]
    params: dict[str, Any]
    test: pd.DataFrame
    judged: Judged


def train_on(table: pa.Table, columns: Columns, plan: TrainingPlan, *, report: Report = silent) -> TrainedModel:
    """Train on the table as planned, and measure on rows that were kept apart.

    Parameters
    ----------
    table : pyarrow.Table of n_rows rows
        A snapshot.
    columns : sequence of mapping
        Its columns: name, dtype, role, and what the contract of the data says.
    plan : TrainingPlan
        How to train.
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
    entry = plan.checked()
    report(20, "splitting")
    rows = _prepared(table, columns, plan, entry)
    del table  # as large as the frame, and not needed again
    parts = rows.parts
    report(30, f"fitting {entry.name} on {len(parts.train)} rows")
    pipeline, notes = _fitted(entry, plan, rows)
    said = answers(pipeline, parts.test, parts.task)
    report(65, "fitting the linear baseline")
    linear = _linear_answers(entry, plan, rows, said)
    report(75, "measuring")
    return TrainedModel(
        pipeline=pipeline,
        estimator=entry.name,
        task=parts.task,
        classes=parts.classes,
        features=rows.features,
        metrics=_metrics(rows, said, linear),
        params=_params(entry, plan, rows, pipeline) | {"notes": notes},
        test=parts.test,
        judged=Judged(rows=rows.positions, actual=parts.test_target, said=said),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Prepared:
    """The rows, cut into parts; `sliced` holds the test rows' values of the columns to slice by."""

    target: str
    features: Features
    split: Split
    parts: Parts
    sliced: pd.DataFrame
    counts: dict[str, int]
    positions: npt.NDArray[np.int64]


def _prepared(table: pa.Table, columns: Columns, plan: TrainingPlan, entry: Estimator) -> _Prepared:
    target = target_name(columns, plan.target)
    _check_slices(plan.slices, columns, target)
    data = labelled_rows(table, columns, target, entry, keep=plan.slices)
    if plan.task and data.task != plan.task:
        raise ModelTaskError(
            f"the model does {plan.task}, and the target {target} needs {data.task}; train under another name",
            task=plan.task,
        )
    split = _split(data, columns, plan)
    features = choose_features(columns, target, data.frame, split.train)
    parts, judged = _parts(data, split, features)
    counts = {
        "total": table.num_rows,
        "unlabelled": data.unlabelled,
        "left_out": split.left_out,
        "train": len(split.train),
        "test": len(judged),
        "test_unseen_class": len(split.test) - len(judged),
    }
    sliced = _sliced(data.frame[list(plan.slices)].iloc[judged], columns)
    return _Prepared(
        target=target,
        features=features,
        split=split,
        parts=parts,
        sliced=sliced,
        counts=counts,
        positions=data.positions[judged],
    )


def _sliced(values: pd.DataFrame, columns: Columns) -> pd.DataFrame:
    yes_no = [column["name"] for column in columns if column["dtype"] == "boolean" and column["name"] in values]
    return values.assign(**{name: values[name].map({0.0: "false", 1.0: "true"}) for name in yes_no})


def _check_slices(names: Sequence[str], columns: Columns, target: str) -> None:
    allowed = [column["name"] for column in columns if column["name"] != target]
    for name in names:
        if name not in allowed:
            raise UnknownSliceError(
                f"unknown column to slice by: {bounded(name)}; allowed: {bounded(', '.join(allowed), 400)}",
                slice=bounded(name),
            )


def _split(data: LabelledRows, columns: Columns, plan: TrainingPlan) -> Split:
    by_role = {column["role"]: column["name"] for column in columns if column["name"] in data.frame}
    kind = plan.split or ("time" if "timestamp" in by_role else "random")
    if kind == "random":
        classes = data.target if data.task == "classification" else None
        return random_split(len(data.target), plan.test_size, plan.seed, classes)
    if "timestamp" not in by_role:
        raise NoTimestampError("a time split needs a column of role timestamp, and there is none; use --split random")
    known_at = _times(data.frame[by_role["known_at"]]) if "known_at" in by_role else None
    return time_split(_times(data.frame[by_role["timestamp"]]), plan.test_size, known_at)


def _times(values: "pd.Series[Any]") -> npt.NDArray[np.datetime64]:
    plain: npt.NDArray[np.datetime64] = values.dt.tz_localize(None).to_numpy("datetime64[us]")
    return plain


def _parts(data: LabelledRows, split: Split, features: Features) -> tuple[Parts, npt.NDArray[np.int64]]:
    """Return the parts, and the positions of the test rows that can be judged."""
    train_target, test = data.target[split.train], split.test
    classes, test_target = np.array([]), data.target[test]
    if data.task == "classification":
        classes = np.unique(train_target)
        if len(classes) < 2:
            raise SingleClassError(
                f"all {len(train_target)} training rows have the same target, {bounded(classes.tolist()[0])}; "
                "a classifier needs two classes",
                rows=len(train_target),
            )
        # No probability can be given to a class that training never saw.
        test = test[np.isin(data.target[test], classes)]
        test_target = np.searchsorted(classes, data.target[test])
    if not len(test):
        raise EmptySplitError("no test row has a class that is in the training rows; use --split random")
    names = list(features.names)
    parts = Parts(
        task=data.task,
        classes=classes.tolist(),
        train=data.frame[names].iloc[split.train],
        train_target=train_target,
        test=data.frame[names].iloc[test],
        test_target=test_target,
    )
    return parts, test


def _fitted(entry: Estimator, plan: TrainingPlan, rows: _Prepared) -> tuple[Pipeline, list[str]]:
    pipeline = build(
        entry,
        rows.parts.task,
        rows.features,
        params=plan.params,
        seed=plan.seed,
        rows=len(rows.parts.train),
        weights=linear_weights(rows.parts, rows.features),
    )
    return pipeline, fit(pipeline, rows.parts, with_params=bool(plan.params))


def _linear_answers(entry: Estimator, plan: TrainingPlan, rows: _Prepared, said: FloatArray) -> FloatArray:
    linear = ESTIMATORS[LINEAR[rows.parts.task]]
    if entry is linear and not plan.params:
        return said  # the model is the linear baseline itself
    pipeline, _ = _fitted(linear, TrainingPlan(seed=plan.seed), rows)
    return answers(pipeline, rows.parts.test, rows.parts.task)


def _metrics(rows: _Prepared, said: FloatArray, linear: FloatArray) -> dict[str, Any]:
    parts = rows.parts

    def of(answered: FloatArray) -> Metrics:
        return measured(parts.task, parts.test_target, answered)

    def within(mask: npt.NDArray[np.bool_]) -> Metrics:
        return measured(parts.task, parts.test_target[mask], said[mask])

    return {
        "test": of(said),
        "baseline": of(simplest_answers(parts)),
        "linear_baseline": of(linear),
        "slices": {name: [asdict(group) for group in slices(rows.sliced[name], within)] for name in rows.sliced},
        "rows": rows.counts,
        "calibration": calibration_dict(parts.test_target, said) if parts.task == "classification" else {},
        "features": _means(parts.train[rows.features.numbers]),
    }


def _means(numbers: pd.DataFrame) -> dict[str, float]:
    means = {str(name): float(value) for name, value in numbers.mean().items()}
    return {name: value for name, value in means.items() if np.isfinite(value)}


def _params(entry: Estimator, plan: TrainingPlan, rows: _Prepared, pipeline: Pipeline) -> dict[str, Any]:
    split, features = rows.split, rows.features
    plain = (str, int, float, bool, type(None))
    return {
        "estimator": entry.name,
        "estimator_params": {
            name: value
            for name, value in pipeline[-1].get_params().items()
            if isinstance(value, plain) and value != "deprecated"
        },
        "given_params": dict(plan.params),
        "target": rows.target,
        "seed": plan.seed,
        "split": {
            "kind": "random" if split.cut is None else "time",
            "test_size": plan.test_size,
            "cut": None if split.cut is None else f"{split.cut}Z",
            # Two versions with equal digests were tested on the same rows of their snapshot.
            "test_rows_digest": hashlib.sha256(split.test.astype("<i8").tobytes()).hexdigest(),
        },
        "features": {"numbers": features.numbers, "categories": features.categories},
        "dropped": features.dropped,
    }
