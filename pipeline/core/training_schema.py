"""What a trained model tells those who call it: its columns, its answers, and rows to try."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from pipeline.core.estimators import Task
from pipeline.core.preprocessing import Features
from pipeline.core.training_columns import Columns

SAMPLE_ROWS = 5


def input_schema(columns: Columns, features: Features) -> list[dict[str, Any]]:
    """Return the model's columns in the order of a row.

    Bounds and allowed values are those of the data's contract: what training happened to see is no bound.

    Parameters
    ----------
    columns : sequence of mapping
        The snapshot's columns.
    features : Features
        Those the model takes.

    Returns
    -------
    list of dict
        name, dtype (number or string), nullable, min, max, and allowed where the contract lists values.
    """
    described = {column["name"]: column for column in columns}
    return [_input(described[name], is_text=name in features.categorical) for name in features.names]


def _input(column: Any, *, is_text: bool) -> dict[str, Any]:
    yes_no = column["dtype"] == "boolean"
    # A time reaches the model as a number of its own making, which the bounds of the time say nothing about.
    low, high = (None, None) if column["dtype"] == "timestamp" else (column.get("min"), column.get("max"))
    body = {
        "name": column["name"],
        "dtype": "string" if is_text else "number",
        "nullable": bool(column.get("nullable", True)),
        "min": 0.0 if yes_no else low,
        "max": 1.0 if yes_no else high,
    }
    allowed = column.get("allowed")
    return body | ({"allowed": list(allowed)} if allowed and not yes_no else {})


def output_schema(task: Task, classes: Sequence[Any], threshold: float | None = None) -> dict[str, Any]:
    """Return what the model answers.

    Parameters
    ----------
    task : {"classification", "regression"}
        What it does.
    classes : sequence
        Labels in the order of the probabilities.
    threshold : float, optional
        Probability of the second class from which on it is the label.

    Returns
    -------
    dict
        task and classes, and the threshold where there is one.
    """
    return {"task": task, "classes": list(classes)} | ({} if threshold is None else {"threshold": threshold})


def sample_rows(frame: pd.DataFrame) -> list[list[Any]]:
    """Return a few rows to ask a model, spread over the frame.

    Parameters
    ----------
    frame : DataFrame of shape (n_rows, n_features)
        The features.

    Returns
    -------
    list of list
        At most five rows of numbers, texts and None, JSON-compatible.
    """
    step = max(1, len(frame) // SAMPLE_ROWS)
    chosen = frame.iloc[::step].head(SAMPLE_ROWS).astype(object)
    return [list(row) for row in chosen.where(chosen.notna(), None).itertuples(index=False, name=None)]
