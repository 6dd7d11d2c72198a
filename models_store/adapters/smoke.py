"""Ask a model a few rows, to see that it answers at all."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnxruntime

from models_store.adapters.child.timing import median_ms
from models_store.adapters.sandbox import ask_child
from models_store.core.gates.base import SmokeCheck
from models_store.errors import ModelFileError, ModelFileRefusedError

NUMERIC = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(int64)": np.int64}
TEXT = "tensor(string)"
# onnxruntime's exceptions share no base of their own.
ONNX_ERRORS: tuple[type[Exception], ...] = (
    RuntimeError,
    ValueError,
    TypeError,
    *{
        kind
        for kind in vars(onnxruntime.capi.onnxruntime_pybind11_state).values()
        if isinstance(kind, type) and issubclass(kind, Exception)
    },
)

_REFUSALS: tuple[type[Exception], ...] = (*ONNX_ERRORS, KeyError)


def smoke_check(
    files: Mapping[str, bytes], engine: str, schema: Sequence[Mapping[str, Any]], rows: Sequence[Sequence[Any]]
) -> SmokeCheck:
    """Ask the model of an artefact: ONNX in this process, a pickle only in a child."""
    try:
        if engine == "onnx":
            return _onnx_check(files["model.onnx"], [str(column["name"]) for column in schema], rows)
        request = {"columns": [dict(column) for column in schema], "rows": [*map(list, rows)]}
        answer = ask_child("smoke", request, files["model.joblib"])
        return SmokeCheck(rows=len(rows), finite=bool(answer.values["finite"]), row_ms=answer.values["row_ms"])
    except KeyError as error:
        return SmokeCheck(rows=len(rows), finite=False, error=f"the artefact has no {error.args[0]} for its engine")
    except (ModelFileError, ModelFileRefusedError) as error:
        return SmokeCheck(rows=len(rows), finite=False, error=error.message)


def open_session(blob: bytes) -> onnxruntime.InferenceSession:
    """Load a graph on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(blob, options, providers=["CPUExecutionProvider"])
    except ONNX_ERRORS as error:
        raise ModelFileError(f"the ONNX graph does not load: {error}") from error


def run_graph(session: onnxruntime.InferenceSession, names: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[Any]:
    """Return a graph's outputs for rows of values in the order of the names."""
    kinds = {node.name: node.type for node in session.get_inputs()}
    try:
        if set(kinds) == set(names):
            feeds = {name: _column([row[index] for row in rows], kinds[name]) for index, name in enumerate(names)}
        else:
            (name, kind), *_ = kinds.items()
            feeds = {name: np.array(rows, dtype=NUMERIC[kind])}
        return list(session.run(None, feeds))
    except _REFUSALS as error:
        raise ModelFileError(f"the ONNX graph refused rows that fit its schema: {error}") from error


def all_finite(outputs: Sequence[Any]) -> bool:
    """Tell whether no number among a graph's outputs is NaN or infinite."""
    for output in outputs:
        if isinstance(output, list):  # one map of probabilities per row
            output = [list(row.values()) for row in output]
        values = np.asarray(output)
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            return False
    return True


def _onnx_check(blob: bytes, names: Sequence[str], rows: Sequence[Sequence[Any]]) -> SmokeCheck:
    session = open_session(blob)
    outputs = run_graph(session, names, rows)
    row_ms = median_ms(lambda: run_graph(session, names, rows[:1]))
    return SmokeCheck(rows=len(rows), finite=all_finite(outputs), row_ms=row_ms)


def _column(values: list[Any], kind: str) -> Any:
    if kind == TEXT:
        return np.array(["" if value is None else str(value) for value in values], dtype=object).reshape(-1, 1)
    numbers = [np.nan if value is None else value for value in values]
    return np.array(numbers, dtype=NUMERIC[kind]).reshape(-1, 1)
