"""Convert an opened scikit-learn model to ONNX, if it then gives the same answers."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pandas as pd
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import ColumnTransformer


def convert(
    model: Any, columns: list[dict[str, Any]], frame: pd.DataFrame, task: str, folder: Path, tolerance: float
) -> str:
    """Write `model.onnx`; answer why not, or nothing if it was written."""
    if task == "classification" and not hasattr(model, "predict_proba"):
        return "the model gives no probabilities, which the ONNX form needs"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            types, feeds = _inputs(model, columns, frame)
            options = {id(model): {"zipmap": False}} if task == "classification" else None
            graph = to_onnx(model, initial_types=types, options=options)
            blob = graph.SerializeToString()
            reason = _difference(model, blob, feeds, frame, task, tolerance)
    except Exception as error:  # noqa: BLE001 (converters raise what they like; the reason is kept)
        return f"{type(error).__name__}: {error}"[:500]
    if not reason:
        (folder / "model.onnx").write_bytes(blob)
    return reason


def _inputs(
    model: Any, columns: list[dict[str, Any]], frame: pd.DataFrame
) -> tuple[list[tuple[str, Any]], dict[str, Any]]:
    if not _picks_columns(model) and not any(column["dtype"] == "string" for column in columns):
        return [("X", FloatTensorType([None, len(columns)]))], {"X": frame.to_numpy(np.float32)}
    types, feeds = [], {}
    for column in columns:
        name, text = column["name"], column["dtype"] == "string"
        types.append((name, (StringTensorType if text else FloatTensorType)([None, 1])))
        feeds[name] = frame[[name]].to_numpy(object if text else np.float32)
    return types, feeds


def _picks_columns(model: Any) -> bool:
    steps = [step for _, step in getattr(model, "steps", [])]
    return isinstance(model, ColumnTransformer) or any(_picks_columns(step) for step in steps)


def _difference(
    model: Any, blob: bytes, feeds: dict[str, Any], frame: pd.DataFrame, task: str, tolerance: float
) -> str:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    given = onnxruntime.InferenceSession(blob, options, providers=["CPUExecutionProvider"]).run(None, feeds)
    if task == "regression":
        wanted = np.asarray(model.predict(frame), dtype=np.float64).ravel()
        apart = np.abs(np.asarray(given[0]).ravel() - wanted) / np.maximum(np.abs(wanted), 1.0)
        return "" if apart.max() <= tolerance else f"ONNX answers differ by {apart.max():.2g}, over {tolerance:g}"
    wanted = np.asarray(model.predict_proba(frame))
    apart = np.abs(np.asarray(given[1]) - wanted).max()
    if apart > tolerance or (np.asarray(given[1]).argmax(axis=1) != wanted.argmax(axis=1)).any():
        return f"ONNX probabilities differ by {apart:.2g}, over {tolerance:g}, or flip a class"
    return ""
