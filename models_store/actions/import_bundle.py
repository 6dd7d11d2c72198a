"""Take a version that another installation has exported."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import IntegrityError, transaction

from features.ground.audit import audited_refusals
from features.ground.errors import bounded
from models_store.actions.audit import append_audit
from models_store.actions.model_card import written_parts
from models_store.actions.register_version import ENGINES, NewVersion, columns_of, locked_model
from models_store.adapters.artefacts import StoredArtefact, discard_artefact, keep_artefact
from models_store.adapters.bundles import Bundle, read_bundle
from models_store.core.card import checked_parts
from models_store.core.manifest import check_identity
from models_store.core.quality import is_lower_better
from models_store.core.schema import checked_input_schema, checked_output_schema
from models_store.core.spec import checked_name
from models_store.errors import BadVersionError, BundleRefusedError, VersionThereError
from models_store.models import ModelVersion, RegisteredModel


@dataclass(frozen=True, kw_only=True, slots=True)
class Imported:
    """A version that was taken.

    Attributes
    ----------
    model, version, digest
        Which one, under the number it had.
    stage : str
        candidate.
    origin : dict
        Who made and exported it, and when it was made.
    """

    model: str
    version: int
    digest: str
    stage: str
    origin: dict[str, Any]


def import_bundle(path: Path, *, actor: str) -> Imported:
    """Verify a bundle and register its version, under its own number and with its own signature, as a candidate.

    Parameters
    ----------
    path : Path
        What `export_bundle` wrote elsewhere.
    actor : str
        Who asks.

    Returns
    -------
    Imported
        The model is made if it isn't there, with the default policy of this installation.

    Raises
    ------
    ArtefactError
        If the file is no bundle, was changed, or nobody here trusts the keys that signed bundle and artefact.
    VersionThereError
        If the model has a version of this number.
    BadVersionError
        If the model has another task here.
    """
    with audited_refusals(actor=actor, action="import_bundle", object_type="bundle", object_id=path.name):
        bundle = read_bundle(path)
        new, number = _new_version(bundle, actor)
        _check_not_there(new.model, number, str(bundle.about["digest"]))
        stored = keep_artefact(bundle.files, bundle.manifest_bytes, bundle.signature)
        try:
            version = _inserted(new, number, bundle, stored, path.name)
        except (BadVersionError, VersionThereError, IntegrityError) as error:
            if not ModelVersion.objects.filter(manifest_digest=stored.manifest_digest).exists():
                discard_artefact(stored)
            if isinstance(error, IntegrityError):
                raise VersionThereError(f"another import of {new.model}@{number} was faster") from error
            raise
    return Imported(
        model=new.model,
        version=number,
        digest=version.manifest_digest,
        stage=str(version.stage),
        origin=version.provenance["origin"],
    )


def _new_version(bundle: Bundle, actor: str) -> tuple[NewVersion, int]:
    """Return what the signed texts say, in the form a training hands in; a signature vouches for no form."""
    manifest, about = bundle.manifest, bundle.about
    try:
        check_identity(manifest, about["model"], about["version"])
        new = NewVersion(
            model=checked_name(about["model"]),
            task=manifest["task"],
            primary_metric=about["primary_metric"],
            files=bundle.files,
            estimator=manifest["estimator"],
            engine=manifest["engine"],
            engine_reason=about["engine_reason"],
            input_schema=checked_input_schema(manifest["input_schema"]),
            output_schema=checked_output_schema(manifest["output_schema"], manifest["task"]),
            metrics=manifest["metrics"],
            params=manifest["params"],
            code_version=manifest["code_version"],
            environment_digest=manifest["environment_digest"],
            actor=actor,
        )
        is_lower_better(new.primary_metric)
        if ENGINES.get(new.engine) not in new.files:
            raise BundleRefusedError(f"the bundle holds no file for its engine {new.engine!r}")
        return new, int(about["version"])
    except (KeyError, TypeError, AttributeError) as error:
        raise BundleRefusedError(f"the bundle does not say what a version must: {error}") from error


def _check_not_there(model: str, number: int, digest: str) -> None:
    found = ModelVersion.objects.filter(model__name=model, number=number).first()
    if found is None:
        return
    which = "this very one" if found.manifest_digest == digest else f"another one, {found.manifest_digest[:16]}…"
    raise VersionThereError(
        f"{model}@{number} is there already and is {which}, {found.stage} since {found.created_at:%Y-%m-%d}",
        model=model,
        version=number,
        digest=found.manifest_digest,
    )


def _inserted(new: NewVersion, number: int, bundle: Bundle, stored: StoredArtefact, name: str) -> ModelVersion:
    about = bundle.about
    origin = {"bundle": name, "key_id": bundle.exporter, "actor": about["actor"], "created_at": about["created_at"]}
    with transaction.atomic(durable=True):
        model = locked_model(new)
        # Again, under the lock: two imports may race for one number.
        _check_not_there(new.model, number, stored.manifest_digest)
        card = _take_card(model, about)
        columns = columns_of(new, bundle.manifest, stored)
        columns["provenance"] = {**columns["provenance"], "origin": origin}
        version = ModelVersion.objects.create(model=model, number=number, actor=bounded(new.actor, 150), **columns)
        append_audit(
            actor=new.actor,
            action="import_bundle",
            object_type="model_version",
            object_id=str(version),
            after={"stage": str(version.stage), "digest": version.manifest_digest, "origin": origin, "card": card},
        )
    return version


def _take_card(model: RegisteredModel, about: Mapping[str, Any]) -> dict[str, str]:
    """Take over what people wrote on the card elsewhere, where nobody here has written anything."""
    said = about.get("card") or {}
    known = written_parts(model)
    taken = {part: text for part, text in (checked_parts(said) if said else {}).items() if text and not known.get(part)}
    for part, text in taken.items():
        setattr(model, part, text)
    if taken:
        model.save(update_fields=list(taken))
    return taken
