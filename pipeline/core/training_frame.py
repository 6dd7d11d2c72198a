"""From a snapshot's table to rows a model can learn from."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from features.ground.errors import bounded
from pipeline.core.estimators import Estimator, Task
from pipeline.core.preprocessing import NUMBER_DTYPES
from pipeline.core.training_errors import NoRowsError, TaskMismatchError, UnknownTargetError

MAX_INTEGER_CLASSES = 20
MAX_CLASSES = 200
NEEDED_ROLES = ("feature", "timestamp", "known_at")
Columns = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelledRows:
    """The rows that have a target.

    Attributes
    ----------
    frame : DataFrame of shape (n_rows, n_columns)
        Numbers and booleans as float64 with NaN, text as str, times as datetime64.
    target : ndarray of shape (n_rows,)
        Labels (text, int64 or bool) or values (float64).
    task : {"classification", "regression"}
        What the target asks for.
    positions : ndarray of shape (n_rows,)
        Where each row stands in the table.
    unlabelled : int
        Rows of the table that have no target.
    """

    frame: pd.DataFrame
    target: npt.NDArray[Any]
    task: Task
    positions: npt.NDArray[np.int64]
    unlabelled: int


def target_name(columns: Columns, asked: str) -> str:
    """Return the column to predict.

    Parameters
    ----------
    columns : sequence of mapping
        The snapshot's columns.
    asked : str
        What the caller named; empty for the column of role target.

    Returns
    -------
    str
        The name.

    Raises
    ------
    UnknownTargetError
        If there is no such column, or none was named.
    """
    names = [column["name"] for column in columns]
    declared = next((column["name"] for column in columns if column["role"] == "target"), "")
    name = asked or declared
    if name in names:
        return str(name)
    listed = bounded(", ".join(names), 400)
    if not name:
        raise UnknownTargetError(f"the snapshot has no target column; name one with --target, of: {listed}")
    raise UnknownTargetError(f"unknown target {bounded(name)}; columns: {listed}", target=name)


def labelled_rows(
    table: pa.Table, columns: Columns, target: str, estimator: Estimator, *, keep: Collection[str] = ()
) -> LabelledRows:
    """Return the table's rows that have a target, as a frame, and what their target asks for.

    Parameters
    ----------
    table : pyarrow.Table
        The snapshot.
    columns : sequence of mapping
        Its columns.
    target : str
        The column to predict.
    estimator : Estimator
        One that does a single task decides where the values of the target leave both open.
    keep : collection of str
        Columns wanted in the frame whatever their role; else it holds features and times.

    Returns
    -------
    LabelledRows
        In the table's order.

    Raises
    ------
    NoRowsError
        If the table is empty, or no row has a target.
    TaskMismatchError
        If the target is a time, or what it asks for is not what the estimator does.
    """
    if not table.num_rows:
        raise NoRowsError("the snapshot has no rows")
    described = {column["name"]: column for column in columns}
    wanted = [name for name, column in described.items() if column["role"] in NEEDED_ROLES or name in (target, *keep)]
    present = _present(table[target])
    labelled = table.select(wanted).filter(present)
    if not labelled.num_rows:
        raise NoRowsError(f"the target {target} has no value in any of {table.num_rows} rows", target=target)
    values, task = _target(labelled[target], described[target]["dtype"], target, estimator)
    frame = pd.DataFrame(
        {
            name: _series(labelled[name], column["dtype"])
            for name, column in described.items()
            if name in wanted and name != target
        },
        index=range(labelled.num_rows),
    )
    return LabelledRows(
        frame=frame,
        target=values,
        task=task,
        positions=np.flatnonzero(present.to_numpy()),
        unlabelled=table.num_rows - labelled.num_rows,
    )


def _present(values: pa.ChunkedArray) -> pa.ChunkedArray:
    floating = pa.types.is_floating(values.type)
    return pc.fill_null(pc.is_finite(values), False) if floating else pc.is_valid(values)


def _series(values: pa.ChunkedArray, dtype: str) -> "pd.Series[Any]":
    if dtype in NUMBER_DTYPES:
        return pd.Series(values.cast(pa.float64()).to_numpy(), dtype="float64")
    if dtype == "timestamp":
        return cast("pd.Series[Any]", values.to_pandas())
    return pd.Series(values.to_pandas(), dtype="str")


def _target(values: pa.ChunkedArray, dtype: str, name: str, estimator: Estimator) -> tuple[npt.NDArray[Any], Task]:
    if dtype == "timestamp":
        raise TaskMismatchError(f"the target {name} is a time; predict a number, a text or a yes/no", target=name)
    if dtype not in NUMBER_DTYPES:
        return np.array(values.to_pylist(), dtype=object), _classes_task(values, name)
    plain = values.cast(pa.float64()).to_numpy()
    if dtype == "boolean":
        return plain.astype(bool), "classification"
    if _asks_for_classes(plain, dtype, estimator):
        return plain.astype(np.int64), _classes_task(values, name)
    return plain, "regression"


def _asks_for_classes(values: npt.NDArray[np.float64], dtype: str, estimator: Estimator) -> bool:
    """Tell whether numbers name classes: whole, and few of them (two for numbers not declared integers)."""
    whole = bool((values == np.round(values)).all())
    distinct = len(np.unique(values))
    if len(estimator.tasks) == 1:
        return whole and estimator.tasks[0] == "classification" and distinct <= MAX_CLASSES
    return whole and distinct <= (MAX_INTEGER_CLASSES if dtype == "integer" else 2)


def _classes_task(values: pa.ChunkedArray, name: str) -> Task:
    classes = len(pc.unique(values))
    if classes > MAX_CLASSES:
        raise TaskMismatchError(
            f"the target {name} has {classes} different labels; at most {MAX_CLASSES} classes can be told apart",
            target=name,
            classes=classes,
        )
    return "classification"
