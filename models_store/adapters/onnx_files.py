"""Read the form of an ONNX graph made elsewhere, and refuse one that can't be served."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError

from features.ground.errors import bounded
from models_store.adapters.smoke import NUMERIC, TEXT, open_session, run_graph
from models_store.core.sample import sample_rows
from models_store.errors import ModelFileError

MAX_FEATURES = 2000


@dataclass(frozen=True, kw_only=True, slots=True)
class GraphForm:
    """What a graph takes and gives."""

    columns: list[dict[str, Any]]
    task: str
    classes: list[Any]
    producer: str


def read_graph(blob: bytes, columns: Sequence[dict[str, Any]] | None, task: str | None) -> GraphForm:
    """Check a graph, map its inputs to columns, ask it once, and tell what it is."""
    graph = _checked(blob)
    session = open_session(blob)
    found = _columns(session.get_inputs(), columns)
    outputs = run_graph(session, [column["name"] for column in found], sample_rows(found))
    kind = task or _task(outputs)
    classes = _classes(graph, outputs) if kind == "classification" else []
    if kind == "regression":
        _check_regression(outputs)
    return GraphForm(columns=found, task=kind, classes=classes, producer=graph.producer_name or "unknown")


def _checked(blob: bytes) -> onnx.ModelProto:
    try:
        graph = onnx.load_from_string(blob)
        onnx.checker.check_model(graph)
    except (DecodeError, onnx.checker.ValidationError, ValueError) as error:
        raise ModelFileError(f"the file is not a valid ONNX graph: {bounded(str(error), 200)}") from error
    if any(tensor.external_data for tensor in graph.graph.initializer):
        raise ModelFileError("the graph keeps weights in other files: save it as one file")
    return graph


def _columns(inputs: Sequence[Any], given: Sequence[dict[str, Any]] | None) -> list[dict[str, Any]]:
    for node in inputs:
        if node.type not in (*NUMERIC, TEXT):
            raise ModelFileError(f"input {node.name!r} is {node.type}: allowed are {', '.join((*NUMERIC, TEXT))}")
    only = inputs[0]
    if len(inputs) == 1 and len(only.shape) == 2 and only.shape[1] != 1 and only.type != TEXT:
        return _matrix_columns(only, given)
    wide = [node.name for node in inputs if len(node.shape) != 2 or node.shape[1] not in (1, None)]
    if wide or not inputs:
        raise ModelFileError(
            f"a graph takes one [None, 1] input per column, or one [None, N] of numbers; got {bounded(wide)}"
        )
    found = [{"name": node.name, "dtype": "string" if node.type == TEXT else "number"} for node in inputs]
    return _fitted(found, given)


def _matrix_columns(node: Any, given: Sequence[dict[str, Any]] | None) -> list[dict[str, Any]]:
    count = node.shape[1] if isinstance(node.shape[1], int) else None
    if given is None and count is None:
        raise ModelFileError("the graph does not say how many features it takes: give --n-features or --schema")
    if given is not None and count not in (None, len(given)):
        raise ModelFileError(f"the graph takes {count} features, got {len(given)}")
    if given is not None and any(column["dtype"] != "number" for column in given):
        raise ModelFileError("the graph takes one matrix of numbers, so every column must be a number")
    if given is not None or count is None:
        return list(given or ())
    if count > MAX_FEATURES:
        raise ModelFileError(f"a model may take {MAX_FEATURES} features, got {count}")
    return [{"name": f"f{index}", "dtype": "number"} for index in range(count)]


def _fitted(found: list[dict[str, Any]], given: Sequence[dict[str, Any]] | None) -> list[dict[str, Any]]:
    if given is None:
        return found
    wanted = {column["name"]: column["dtype"] for column in found}
    if wanted != {column["name"]: column["dtype"] for column in given}:
        raise ModelFileError(f"the schema must hold the graph's inputs {bounded(wanted, 200)}, of these types")
    return list(given)


def _task(outputs: Sequence[Any]) -> str:
    labels = np.asarray(outputs[0])
    return "classification" if len(outputs) > 1 and labels.dtype.kind in "iuOUS" else "regression"


def _check_regression(outputs: Sequence[Any]) -> None:
    values = np.asarray(outputs[0])
    if values.dtype.kind not in "fiu" or values.size != len(sample_rows([{"name": "x", "dtype": "number"}])):
        raise ModelFileError(f"a regression's first output is one number per row, got shape {values.shape}")


def _classes(graph: onnx.ModelProto, outputs: Sequence[Any]) -> list[Any]:
    if len(outputs) < 2 or np.asarray(outputs[0]).dtype.kind not in "iuOUS":
        raise ModelFileError("a classifier's outputs are labels (integers or text), then probabilities per class")
    if isinstance(outputs[1], list):
        return list(outputs[1][0])
    shares = np.asarray(outputs[1])
    if shares.ndim != 2 or shares.shape[1] < 2:
        raise ModelFileError(f"probabilities have one column per class, got shape {shares.shape}")
    for node in graph.graph.node:
        for attribute in node.attribute:
            if attribute.name.startswith("classlabels_"):
                labels = [*attribute.ints] or [text.decode() for text in attribute.strings]
                if len(labels) == shares.shape[1]:
                    return labels
    if np.asarray(outputs[0]).dtype.kind in "iu":
        return list(range(shares.shape[1]))
    raise ModelFileError("the graph gives text labels and does not list them: save it with its class labels")
