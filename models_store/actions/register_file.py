"""Register a model file made elsewhere."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from features.ground.audit import audited_refusals
from features.ground.errors import bounded
from models_store.actions.register_version import NewVersion, register_version
from models_store.adapters.imports import FORMATS, OpenedModel, open_model, read_model_file
from models_store.adapters.provenance import code_version, environment_digest
from models_store.core.manifest import sha256
from models_store.core.policy import imported_policy
from models_store.core.quality import DEFAULT_PRIMARY_METRIC
from models_store.core.schema import MAX_COLUMNS, TASKS, checked_input_schema
from models_store.core.spec import checked_name
from models_store.errors import BadVersionError, ModelFileError, PickleRefusedError
from models_store.models import ModelVersion, RegisteredModel


@dataclass(frozen=True, kw_only=True, slots=True)
class Registered:
    """A version made of a file.

    Attributes
    ----------
    version : ModelVersion
        A candidate.
    seconds : float
        From opening the file to the row.
    """

    version: ModelVersion
    seconds: float


def register_file(
    model: str,
    path: Path,
    *,
    columns: Sequence[Mapping[str, Any]] | None = None,
    n_features: int | None = None,
    task: str | None = None,
    allow_pickle: bool = False,
    actor: str,
) -> Registered:
    """Open a model file safely, sign what it holds and register it.

    Parameters
    ----------
    model, actor : str
        Name of the model, made on first use with a policy that asks for no metrics; and who asks.
    path : Path
        An `.onnx`, `.skops`, `.joblib` or `.pkl` file.
    columns : sequence of mapping, optional
        Input columns in order; what the file says, if left out.
    n_features : int, optional
        Instead of columns: that many numbers, called f0, f1, ….
    task : str, optional
        classification or regression; what the file says, if left out.
    allow_pickle : bool
        Whether a file whose opening runs code may be opened, in a child process.

    Returns
    -------
    Registered
        The new version.

    Raises
    ------
    ModelFileError, BadVersionError, BadSpecError
        If the file can't be read or its form can't be served.
    PickleRefusedError, ModelFileRefusedError, ModelFileTooLargeError, ArtefactTooLargeError
        If it is a pickle without leave, its opening tried what a model has no need of, or it is over the size limit.
    """
    started = time.perf_counter()
    asked = {"file": path.name, "allow_pickle": allow_pickle}
    with audited_refusals(
        actor=actor, action="register_file", object_type="registered_model", object_id=model, asked=asked
    ):
        checked_name(model)
        form = _form(path, allow_pickle)
        given, blob = _given_columns(columns, n_features), read_model_file(path)
        opened = open_model(blob, form, given, _checked_task(task))
        version = register_version(_new_version(model, opened, path, blob, actor))
    return Registered(version=version, seconds=time.perf_counter() - started)


def _form(path: Path, allow_pickle: bool) -> str:
    form = FORMATS.get(path.suffix.lower())
    if form is None:
        raise ModelFileError(
            f"a model file ends in {', '.join(FORMATS)}, got {bounded(path.name)!r}", file=bounded(path.name)
        )
    if form == "pickle" and not allow_pickle:
        raise PickleRefusedError(
            f"{bounded(path.name)} is a pickle, and opening a pickle can run any code: save the model as .onnx or "
            ".skops, or give --allow-pickle if you trust who made it"
        )
    return form


def _given_columns(columns: Sequence[Mapping[str, Any]] | None, n_features: int | None) -> list[dict[str, Any]] | None:
    if columns is not None and n_features is not None:
        raise BadVersionError("give a schema or a number of features, not both")
    if n_features is not None:
        if not 1 <= n_features <= MAX_COLUMNS:
            raise BadVersionError(f"a model takes 1 to {MAX_COLUMNS} features, got {n_features}")
        columns = [{"name": f"f{index}"} for index in range(n_features)]
    return None if columns is None else checked_input_schema(columns)


def _checked_task(task: str | None) -> str | None:
    if task is not None and task not in TASKS:
        raise BadVersionError(f"task must be {' or '.join(TASKS)}, got {bounded(task)!r}")
    return task


def _new_version(model: str, opened: OpenedModel, path: Path, blob: bytes, actor: str) -> NewVersion:
    known = RegisteredModel.objects.filter(name=model).values_list("primary_metric", flat=True).first()
    return NewVersion(
        model=model,
        task=opened.task,
        primary_metric=known or DEFAULT_PRIMARY_METRIC[opened.task],
        files=opened.files,
        estimator=opened.estimator,
        engine=opened.engine,
        engine_reason=opened.engine_reason,
        input_schema=checked_input_schema(opened.columns),
        output_schema={"task": opened.task, "classes": opened.classes},
        params={"source": {"file": bounded(path.name), "sha256": sha256(blob)}},
        code_version=code_version(),
        environment_digest=environment_digest(),
        actor=actor,
        policy=imported_policy(),
    )
