"""Bundles on disk: signed and written whole, read once and trusted by the key that signed them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

from features.ground.errors import bounded
from features.ground.files import write_atomic
from models_store.adapters import keys
from models_store.core import bundle as bundles
from models_store.core import manifest as manifests
from models_store.errors import ArtefactTooLargeError, ArtefactWriteError, BundleRefusedError


@dataclass(frozen=True, kw_only=True, slots=True)
class Bundle:
    """A bundle that passed every check."""

    about: dict[str, Any]
    exporter: str
    manifest: dict[str, Any]
    manifest_bytes: bytes
    signature: keys.Signature
    files: dict[str, bytes]


def write_bundle(path: Path, members: Mapping[str, bytes], said: Mapping[str, Any]) -> int:
    """Sign members with this process's key and write them as one file; return its size."""
    about = bundles.about_bundle(members, said)
    signed = {bundles.ABOUT_NAME: about, bundles.ABOUT_SIGNATURE: keys.signature_text(keys.sign(about))}
    blob = bundles.pack({**members, **signed})
    if not path.parent.is_dir():
        raise ArtefactWriteError(f"the bundle can't be written: {path.parent} is no folder")
    try:
        write_atomic(path, blob)
    except OSError as error:
        raise ArtefactWriteError(f"the bundle can't be written: {error.strerror or error}") from error
    return len(blob)


def read_bundle(path: Path) -> Bundle:
    """Read a bundle once and check all of it before a byte of it is interpreted as a model."""
    members = bundles.unpack(_blob(path))
    exported = keys.parse_signature(members[bundles.ABOUT_SIGNATURE])
    keys.verify(members[bundles.ABOUT_NAME], exported)
    about = bundles.checked_members(members[bundles.ABOUT_NAME], members)
    data, signature = members[manifests.MANIFEST_NAME], keys.parse_signature(members[manifests.SIGNATURE_NAME])
    keys.verify(data, signature)
    manifest = manifests.parse_manifest(data)
    files = {name: members[name] for name in manifest["files"] if name in members}
    for name, entry in manifest["files"].items():
        if name not in files:
            raise BundleRefusedError(f"the bundle has no {name}, which its manifest lists", name=name)
        manifests.check_file(name, files[name], entry)
    return Bundle(
        about=about,
        exporter=exported.key_id,
        manifest=manifest,
        manifest_bytes=data,
        signature=signature,
        files=files,
    )


def _blob(path: Path) -> bytes:
    limit = int(settings.CONFIG.model.max_artefact_mb) * 1024 * 1024 + bundles.OVERHEAD_BYTES
    try:
        # A pipe would keep whoever opens it waiting for ever.
        if path.exists() and not path.is_file():
            raise BundleRefusedError(f"{bounded(str(path))} must be a plain file")
        with path.open("rb") as file:
            blob = file.read(limit + 1)
    except OSError as error:
        raise BundleRefusedError(f"can't read {bounded(str(path))}: {error.strerror or error}") from error
    if len(blob) > limit:
        raise ArtefactTooLargeError(f"a bundle may be {limit} bytes (model.max_artefact_mb and its text)", limit=limit)
    return blob
