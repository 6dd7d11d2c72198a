"""Register a version: its files signed on disk first, then its row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from django.db import IntegrityError, transaction
from django.db.models import Max

from features.ground.errors import DomainError, bounded
from models_store.actions.audit import append_audit
from models_store.adapters.artefacts import StoredArtefact, discard_artefact, write_artefact
from models_store.adapters.provenance import made_by, package_versions
from models_store.adapters.training_data import data_of
from models_store.core.judged import FILE_NAME, JudgedRows, judged_bytes
from models_store.core.manifest import listed
from models_store.core.policy import Policy, default_policy
from models_store.core.quality import is_lower_better
from models_store.core.sample import sample_rows
from models_store.core.schema import checked_input_schema, checked_output_schema
from models_store.core.spec import checked_name
from models_store.core.text import finite
from models_store.errors import BadVersionError, NumberTakenError
from models_store.models import ModelVersion, RegisteredModel

ATTEMPTS = 50
ENGINES = {"onnx": "model.onnx", "sklearn": "model.joblib"}


@dataclass(frozen=True, kw_only=True, slots=True)
class NewVersion:
    """A fitted model and everything that is known of it.

    Attributes
    ----------
    model, task, primary_metric : str
        Of the registered model; made on first use.
    files : mapping of str to bytes
        `model.onnx`, `model.joblib`; at least the one its engine runs.
    estimator : str
        What was fitted.
    engine, engine_reason : str
        `onnx` or `sklearn`, and why not ONNX.
    input_schema, output_schema
        Columns in order; task and classes.
    metrics, params : mapping
        A number that isn't finite is kept as null.
    snapshot_id, run_id
        What it was trained on, and by which run.
    code_version, environment_digest : str
        Which code and libraries made it.
    actor : str
        Who did.
    sample : sequence of rows, optional
        Rows in the schema's order to ask it before every promotion; made from the schema if left out.
    policy : Policy, optional
        For a model that doesn't exist yet; the task's default if left out.
    judged : JudgedRows, optional
        Its test rows, kept among its files so that a later version can be held against it on the same ones.
    """

    model: str
    task: str
    primary_metric: str
    files: Mapping[str, bytes]
    estimator: str
    engine: str
    engine_reason: str = ""
    input_schema: Sequence[Mapping[str, Any]]
    output_schema: Mapping[str, Any]
    metrics: Mapping[str, Any] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    snapshot_id: int | None = None
    run_id: UUID | None = None
    code_version: str = ""
    environment_digest: str = ""
    actor: str
    sample: Sequence[Sequence[Any]] | None = None
    policy: Policy | None = None
    judged: JudgedRows | None = None


def register_version(new: NewVersion) -> ModelVersion:
    """Write the signed artefact and register it under the model's next number.

    Parameters
    ----------
    new : NewVersion
        What was made.

    Returns
    -------
    ModelVersion
        A candidate.

    Raises
    ------
    BadVersionError, BadSpecError
        If a part of it has another form, or the model has another task.
    NoSigningKeyError, ArtefactTooLargeError, ArtefactWriteError
        If the artefact can't be written; nothing is left of it.
    NumberTakenError
        If other registrations were faster too many times.
    """
    body = _checked(new)
    files = dict(new.files) | ({FILE_NAME: judged_bytes(new.judged)} if new.judged else {})
    for _ in range(ATTEMPTS):
        number = _next_number(new.model)
        # The id makes every artefact's digest its own, so that removing one can't touch another's.
        about = {**body, "version": number, "artefact_id": uuid4().hex}
        stored = write_artefact(files, about)
        try:
            version = _insert(new, {**body, "files": listed(files)}, number, stored)
        except (DomainError, IntegrityError):
            # Nothing was committed, so no row names it.
            discard_artefact(stored)
            raise
        if version is not None:
            return version
        discard_artefact(stored)
    raise NumberTakenError(f"other registrations of {new.model} took every number tried: register again")


def _checked(new: NewVersion) -> dict[str, Any]:
    checked_name(new.model)
    if ENGINES.get(new.engine) not in new.files:
        raise BadVersionError(
            f"engine must be onnx with model.onnx or sklearn with model.joblib, got {bounded(new.engine)} with "
            f"{bounded(', '.join(new.files))}"
        )
    is_lower_better(new.primary_metric)
    schema = checked_input_schema(new.input_schema)
    try:
        return {
            "model": new.model,
            "task": new.task,
            "estimator": new.estimator,
            "engine": new.engine,
            "input_schema": finite(schema),
            "output_schema": finite(checked_output_schema(new.output_schema, new.task)),
            "metrics": finite(new.metrics),
            "params": finite(new.params),
            "sample": finite(new.sample or sample_rows(schema)),
            "libraries": package_versions(),
            "code_version": new.code_version,
            "environment_digest": new.environment_digest,
            "provenance": {"data": data_of(new.snapshot_id), **made_by()},
        }
    except TypeError as error:
        raise BadVersionError(f"metrics, params and sample must be JSON-compatible: {error}") from error


def _next_number(model: str) -> int:
    highest = ModelVersion.objects.filter(model__name=model).aggregate(highest=Max("number"))["highest"]
    return (highest or 0) + 1


def _insert(new: NewVersion, body: Mapping[str, Any], number: int, stored: StoredArtefact) -> ModelVersion | None:
    """Insert the row; None if another registration has taken the number since."""
    with transaction.atomic(durable=True):
        model = locked_model(new)
        if _next_number(new.model) != number:
            return None
        version = ModelVersion.objects.create(
            model=model,
            number=number,
            snapshot_id=new.snapshot_id,
            run_id=new.run_id,
            actor=bounded(new.actor, 150),
            **columns_of(new, body, stored),
        )
        _audit(version)
    return version


def columns_of(new: NewVersion, body: Mapping[str, Any], stored: StoredArtefact) -> dict[str, Any]:
    """Return what a row says of a version whichever way it came.

    Parameters
    ----------
    new : NewVersion
        What was made.
    body : mapping
        The same as its manifest holds it.
    stored : StoredArtefact
        Its artefact.

    Returns
    -------
    dict
        Columns of `ModelVersion` by name.
    """
    return {
        "estimator": bounded(new.estimator, 100),
        "engine": new.engine,
        "engine_reason": bounded(new.engine_reason, 600),
        "manifest_digest": stored.manifest_digest,
        "signature": stored.signature,
        "key_id": stored.key_id,
        "size_bytes": stored.size_bytes,
        **{name: body[name] for name in ("input_schema", "output_schema", "metrics", "params")},
        "code_version": bounded(new.code_version, 80),
        "environment_digest": new.environment_digest,
        "provenance": {**body.get("provenance", {}), "files": body["files"]},
    }


def locked_model(new: NewVersion) -> RegisteredModel:
    """Return the model of a version with its row locked, made if need be, inside the caller's transaction.

    Parameters
    ----------
    new : NewVersion
        Names the model, and what it is made with.

    Returns
    -------
    RegisteredModel
        Two registrations can't both hold it.

    Raises
    ------
    BadVersionError
        If the model has another task.
    """
    policy = new.policy or default_policy(new.task)
    RegisteredModel.objects.get_or_create(
        name=new.model,
        defaults={
            "task": new.task,
            "primary_metric": new.primary_metric,
            "policy": policy.as_dict(),
            "owner": bounded(new.actor, 150),
        },
    )
    # Lock the model: two registrations may race for one number.
    model = RegisteredModel.objects.select_for_update().get(name=new.model)
    if model.task != new.task:
        raise BadVersionError(
            f"{model.name} is a {model.task}, got a version for {new.task}: use another name",
            model=model.name,
            task=model.task,
        )
    return model


def _audit(version: ModelVersion) -> None:
    append_audit(
        actor=version.actor,
        action="register_version",
        object_type="model_version",
        object_id=str(version),
        after={
            "stage": str(version.stage),
            "digest": version.manifest_digest,
            "engine": version.engine,
            "snapshot": version.snapshot_id,
            "code_version": version.code_version,
        },
    )
