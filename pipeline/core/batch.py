"""Batch scoring without files: cells for the model, columns of the output, records of what was rejected."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from features.core.coerce import coerce, is_text

PREDICTION, VERSION, ROW = "prediction", "model_version", "row"


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoreResult:
    """What one batch gave.

    Parameters
    ----------
    run : str, optional
        The run it was done in.
    rows, rejected : int
        Rows scored, and rows refused with a reason.
    seconds : float
        How long it took.
    output : str
        Where the answers are.
    rejected_output : str
        Where the refused rows are, empty if there are none.
    model_version : str
        Who answered, as MODEL@N.
    """

    run: str | None
    rows: int
    rejected: int
    seconds: float
    output: str
    rejected_output: str
    model_version: str


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchPlan:
    """What decides the bytes of the output; a half-done one goes on only under the same plan.

    Parameters
    ----------
    model_version, digest : str
        Who answers, and by which artefact.
    classes : list
        Labels of a classifier in the order of its probabilities, empty for a regression.
    chunk_rows : int
        Rows of one part.
    only_predictions : bool
        Whether the input's columns are left out.
    format : str
        csv or parquet.
    input : list
        Names, sizes and times of the input's files.
    """

    model_version: str
    digest: str
    classes: list[Any]
    chunk_rows: int
    only_predictions: bool
    format: str
    input: list[list[Any]] = field(default_factory=list)

    def added(self) -> list[str]:
        """Return the names of the columns the output has beside the input's."""
        return [PREDICTION, *(f"probability_{_label(label)}" for label in self.classes), VERSION, ROW]


def _label(label: Any) -> str:
    return label if isinstance(label, str) else orjson.dumps(label).decode()


def cells(values: pa.ChunkedArray, dtype: str, *, missing: Sequence[str] = ()) -> npt.NDArray[Any]:
    """Return a column as the model's checks take it.

    Parameters
    ----------
    values : pyarrow.ChunkedArray of length n
        A column of any type.
    dtype : str
        What the model takes: number or string.
    missing : sequence of str
        Texts that mean missing, as they do when a file is ingested.

    Returns
    -------
    ndarray of shape (n,)
        Floats with NaN for missing, or objects with None; what is no number stays as it came, to be refused by name.
    """
    if pa.types.is_dictionary(values.type):
        values = pa.chunked_array([chunk.dictionary_decode() for chunk in values.chunks], values.type.value_type)
    kind = values.type
    if missing and is_text(kind):
        values = pc.if_else(pc.is_in(values, pa.array(missing, kind)), pa.scalar(None, kind), values)
    if dtype == "number":
        if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind):
            return np.asarray(values.cast(pa.float64(), safe=False).to_numpy(), dtype=np.float64)
        if pa.types.is_decimal(kind) or pa.types.is_null(kind):
            return np.asarray(values.cast(pa.float64()).to_numpy(), dtype=np.float64)
        if is_text(kind):
            return _numbers(values.cast(pa.string()).combine_chunks())
    return _objects(values.to_pylist())


def _numbers(text: pa.StringArray) -> npt.NDArray[Any]:
    text = pc.utf8_trim_whitespace(text)
    lower = pc.utf8_lower(text)
    # A truth value is a number to the model, as it is in a request.
    text = pc.if_else(pc.equal(lower, "true"), "1", pc.if_else(pc.equal(lower, "false"), "0", text))
    typed, bad = coerce(text, "number")
    numbers = np.asarray(typed.to_numpy(zero_copy_only=False), dtype=np.float64)
    if not bad.any():
        return numbers
    mixed = numbers.astype(object)
    for row in np.flatnonzero(bad).tolist():
        mixed[row] = text[row].as_py()
    return mixed


def _objects(items: Sequence[Any]) -> npt.NDArray[np.object_]:
    column = np.empty(len(items), dtype=object)
    column[:] = items
    return column


def output_table(
    plan: BatchPlan,
    source: pa.Table,
    rows: Sequence[int],
    predictions: Sequence[Any],
    probabilities: Sequence[Sequence[float]] | None,
) -> pa.Table:
    """Return the output of one chunk.

    Parameters
    ----------
    plan : BatchPlan
        What the output holds.
    source : pyarrow.Table of n rows
        The scored rows of the input.
    rows : sequence of int, length n
        Their numbers in the whole input, from 0.
    predictions : sequence of length n
        Original labels, or values.
    probabilities : sequence of shape (n, n_classes), optional
        Shares by class; None for a model that gives none, or where there is no row.

    Returns
    -------
    pyarrow.Table of n rows
        The same columns and types whatever the chunk holds.
    """
    columns: dict[str, Any] = (
        {} if plan.only_predictions else dict(zip(source.column_names, source.columns, strict=True))
    )
    columns[PREDICTION] = pa.array(predictions, _label_type(plan.classes))
    if plan.classes:
        none = np.full((len(rows), len(plan.classes)), np.nan)
        shares = none if probabilities is None else np.array(probabilities, np.float64)
        names = plan.added()[1 : 1 + len(plan.classes)]
        columns |= {name: pa.array(shares[:, i], pa.float64()) for i, name in enumerate(names)}
    columns[VERSION] = pa.array([plan.model_version] * len(rows), pa.string())
    columns[ROW] = pa.array(rows, pa.int64())
    return pa.table(columns)


def _label_type(classes: Sequence[Any]) -> pa.DataType:
    return pa.infer_type(classes) if classes else pa.float64()


def rejected_line(row: int, reason: str, values: Any) -> bytes:
    """Return the record of a refused row, one JSON line.

    Parameters
    ----------
    row : int
        Its number in the whole input, from 0.
    reason : str
        Why it was refused.
    values : Any
        What it held: a mapping by column, or the line's text.

    Returns
    -------
    bytes
        JSON with a line break; values JSON has no form for are shown as text.
    """
    return orjson.dumps({"row": row, "reason": reason, "values": values}, default=str) + b"\n"
