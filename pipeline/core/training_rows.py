"""The rows of a training: which columns, which part, by which rule."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from pipeline.core.estimators import Estimator, Task
from pipeline.core.preprocessing import Features, choose_features
from pipeline.core.split_rule import Kind, SplitRule
from pipeline.core.splits import IndexArray, Split
from pipeline.core.training_columns import Columns, check_slices, group_name, target_name
from pipeline.core.training_errors import ModelTaskError, NoTimestampError
from pipeline.core.training_frame import LabelledRows, labelled_rows
from pipeline.core.training_plan import TrainingPlan


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingRows:
    """Every labelled row, and what it is for.

    Attributes
    ----------
    name : str
        The column to predict.
    task : {"classification", "regression"}
        What it asks for.
    frame : DataFrame of shape (n_rows, n_features)
        The features.
    target : ndarray of shape (n_rows,)
        Labels or values.
    positions : ndarray of shape (n_rows,)
        Where each row stands in the snapshot's table.
    features : Features
        The columns the model takes.
    rule : SplitRule
        How these rows are cut.
    split : Split
        The part to learn from and the part to test on.
    sliced : DataFrame of n_rows rows
        The columns to slice by.
    unlabelled : int
        Rows of the table without a target.
    """

    name: str
    task: Task
    frame: pd.DataFrame
    target: npt.NDArray[Any]
    positions: IndexArray
    features: Features
    rule: SplitRule
    split: Split
    sliced: pd.DataFrame
    unlabelled: int


def training_rows(table: pa.Table, columns: Columns, plan: TrainingPlan, entry: Estimator) -> TrainingRows:
    """Return the table's labelled rows, cut into parts.

    Parameters
    ----------
    table : pyarrow.Table
        A snapshot.
    columns : sequence of mapping
        Its columns.
    plan : TrainingPlan
        How to train.
    entry : Estimator
        What is to be trained.

    Returns
    -------
    TrainingRows
        With at least one row in each part.

    Raises
    ------
    PipelineError
        If there are no such columns or too few rows.
    """
    target = target_name(columns, plan.target)
    check_slices(columns, target, plan.slices)
    group = group_name(columns, target, plan.group) if plan.split == "group" else ""
    data = labelled_rows(table, columns, target, entry, keep=[*plan.slices, *([group] if group else [])])
    if plan.task and data.task != plan.task:
        raise ModelTaskError(
            f"the model does {plan.task}, and the target {target} needs {data.task}; train under another name",
            task=plan.task,
        )
    rule = _rule(data, columns, plan, group)
    split = rule.cut(np.arange(len(data.target)))
    features = choose_features(columns, target, data.frame, split.train)
    return TrainingRows(
        name=target,
        task=data.task,
        frame=data.frame[list(features.names)],
        target=data.target,
        positions=data.positions,
        features=features,
        rule=rule,
        split=split,
        sliced=_sliced(data.frame[list(plan.slices)], columns),
        unlabelled=data.unlabelled,
    )


def _sliced(values: pd.DataFrame, columns: Columns) -> pd.DataFrame:
    yes_no = [column["name"] for column in columns if column["dtype"] == "boolean" and column["name"] in values]
    return values.assign(**{name: values[name].map({0.0: "false", 1.0: "true"}) for name in yes_no})


def _rule(data: LabelledRows, columns: Columns, plan: TrainingPlan, group: str) -> SplitRule:
    by_role = {column["role"]: column["name"] for column in columns if column["name"] in data.frame}
    kind: Kind = "random"
    if plan.split == "time" or (not plan.split and "timestamp" in by_role):
        kind = "time"
    if kind == "time" and "timestamp" not in by_role:
        raise NoTimestampError("a time split needs a column of role timestamp, and there is none; use --split random")
    known_at = "known_at" in by_role and kind == "time"
    return SplitRule(
        kind="group" if group else kind,
        size=plan.test_size,
        seed=plan.seed,
        times=_times(data.frame[by_role["timestamp"]]) if kind == "time" else None,
        known_at=_times(data.frame[by_role["known_at"]]) if known_at else None,
        classes=data.target if data.task == "classification" else None,
        groups=_codes(data.frame[group]) if group else None,
    )


def _times(values: "pd.Series[Any]") -> npt.NDArray[np.datetime64]:
    plain: npt.NDArray[np.datetime64] = values.dt.tz_localize(None).to_numpy("datetime64[us]")
    return plain


def _codes(values: "pd.Series[Any]") -> IndexArray:
    codes = pd.factorize(values)[0].astype(np.int64)
    # A row that names no group is one of its own.
    missing = codes < 0
    codes[missing] = codes.max(initial=-1) + 1 + np.arange(int(missing.sum()))
    return codes
