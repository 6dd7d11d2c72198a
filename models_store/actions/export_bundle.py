"""Write a version to a file that another installation can take."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import transaction

from features.ground.audit import audited_refusals
from models_store.actions.audit import append_audit
from models_store.actions.model_card import model_card, written_parts
from models_store.adapters import keys
from models_store.adapters.artefacts import read_artefact
from models_store.adapters.bundles import write_bundle
from models_store.core.bundle import CARD_NAME
from models_store.core.manifest import MANIFEST_NAME, SIGNATURE_NAME, sha256
from models_store.core.spec import parse_version
from models_store.models import ModelVersion


@dataclass(frozen=True, kw_only=True, slots=True)
class Exported:
    """A bundle that was written.

    Attributes
    ----------
    model, version, digest
        Which version it holds, and the digest of its manifest.
    file : str
        Where it is.
    size_bytes : int
        How large.
    key_id : str
        The key that signed the bundle; whoever imports it must trust that one, and the artefact's own.
    """

    model: str
    version: int
    digest: str
    file: str
    size_bytes: int
    key_id: str


def export_bundle(spec: str, path: Path, *, actor: str) -> Exported:
    """Write a version's artefact and what its row says of it to one signed file.

    Parameters
    ----------
    spec : str
        The version, as MODEL@N.
    path : Path
        Where to; a file that is there is replaced.
    actor : str
        Who asks.

    Returns
    -------
    Exported
        What was written; the same version and model card give the same bytes.

    Raises
    ------
    UnknownModelError, UnknownVersionError, BadSpecError
        If the version is not there.
    ArtefactError, NoSigningKeyError, ArtefactWriteError
        If its artefact is refused, this process can't sign, or the file can't be written.
    """
    with audited_refusals(
        actor=actor, action="export_bundle", object_type="model_version", object_id=spec, asked={"file": path.name}
    ):
        version = ModelVersion.objects.resolve(str(parse_version(spec)))
        size = write_bundle(path, _members(version), _said(version))
        key_id = keys.own_key_id()
        with transaction.atomic(durable=True):
            append_audit(
                actor=actor,
                action="export_bundle",
                object_type="model_version",
                object_id=str(version),
                after={"file": path.name, "sha256": sha256(path.read_bytes()), "key_id": key_id},
            )
    return Exported(
        model=version.model.name,
        version=version.number,
        digest=version.manifest_digest,
        file=str(path),
        size_bytes=size,
        key_id=key_id,
    )


def _members(version: ModelVersion) -> dict[str, bytes]:
    artefact = read_artefact(version)
    signature = keys.Signature(key_id=version.key_id, value=version.signature)
    return {
        **artefact.files,
        MANIFEST_NAME: artefact.data,
        SIGNATURE_NAME: keys.signature_text(signature),
        CARD_NAME: model_card(version).encode(),
    }


def _said(version: ModelVersion) -> dict[str, Any]:
    """Return what the row says and the manifest does not."""
    return {
        "model": version.model.name,
        "version": version.number,
        "digest": version.manifest_digest,
        "primary_metric": version.model.primary_metric,
        "engine_reason": version.engine_reason,
        "actor": version.actor,
        "created_at": version.created_at.isoformat(),
        "card": written_parts(version.model),
    }
