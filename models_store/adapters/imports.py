"""Model files made elsewhere, opened as safely as their form allows."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

from features.ground.errors import bounded
from models_store.adapters.onnx_files import read_graph
from models_store.adapters.sandbox import ask_child
from models_store.errors import ModelFileError, ModelFileTooLargeError

PARITY_ROWS = 200
FORMATS = {".onnx": "onnx", ".skops": "skops", ".joblib": "pickle", ".pkl": "pickle", ".pickle": "pickle"}

ERRANDS = {"skops": "skops_files", "pickle": "pickles"}


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenedModel:
    """What a model file turned out to hold, and the files to be signed."""

    files: dict[str, bytes]
    engine: str
    engine_reason: str
    estimator: str
    task: str
    columns: list[dict[str, Any]]
    classes: list[Any]


def read_model_file(path: Path) -> bytes:
    """Read a file somebody named, within the size an artefact may have."""
    limit = settings.CONFIG.model.max_artefact_mb * 1024 * 1024
    try:
        with path.open("rb") as file:
            blob = file.read(limit + 1)
    except OSError as error:
        raise ModelFileError(f"can't read {bounded(str(path))}: {error.strerror or error}") from error
    if len(blob) > limit:
        raise ModelFileTooLargeError(f"a model file may be {limit} bytes (model.max_artefact_mb)", limit=limit)
    if not blob:
        raise ModelFileError(f"{bounded(path.name)} is empty")
    return blob


def open_model(blob: bytes, form: str, columns: Sequence[dict[str, Any]] | None, task: str | None) -> OpenedModel:
    """Open a model file: a graph as data, anything else in a child process."""
    if form == "onnx":
        return _open_graph(blob, columns, task)
    request = {
        "columns": list(columns) if columns is not None else None,
        "parity_rows": PARITY_ROWS,
        "parity_tolerance": settings.CONFIG.model.parity_tolerance,
    }
    answer = ask_child(ERRANDS[form], request, blob)
    said = answer.values
    if not said["finite"]:
        raise ModelFileError("the model answers NaN or infinity to rows that fit its schema")
    if task is not None and task != said["task"]:
        raise ModelFileError(f"the file holds a model for {said['task']}, got --task {task}")
    own = {"model.joblib": blob} if form == "pickle" else {"model.skops": blob}
    return OpenedModel(
        files={**own, **answer.files},
        engine="onnx" if "model.onnx" in answer.files else "sklearn",
        engine_reason=said["engine_reason"],
        estimator=said["estimator"],
        task=said["task"],
        columns=said["columns"],
        classes=said["classes"],
    )


def _open_graph(blob: bytes, columns: Sequence[dict[str, Any]] | None, task: str | None) -> OpenedModel:
    form = read_graph(blob, columns, task)
    return OpenedModel(
        files={"model.onnx": blob},
        engine="onnx",
        engine_reason="",
        estimator=f"onnx ({form.producer})"[:100],
        task=form.task,
        columns=form.columns,
        classes=form.classes,
    )
