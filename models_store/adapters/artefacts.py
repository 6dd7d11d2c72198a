"""Artefacts on disk: written whole or not at all, and read as checked bytes or not at all."""

import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from django.conf import settings

from features.ground.files import fsync_folder
from features.ground.paths import var_path
from models_store.adapters import keys
from models_store.core import manifest as manifests
from models_store.errors import (
    ArtefactCorruptError,
    ArtefactError,
    ArtefactMissingError,
    ArtefactTooLargeError,
    ArtefactUnsignedError,
    ArtefactUntrustedError,
    ArtefactWriteError,
)

MEGABYTE = 1024 * 1024
HALF_WRITTEN = ".new-"


class _Named(Protocol):
    name: str


class SignedVersion(Protocol):
    """What reading an artefact needs to know of a model version."""

    number: int
    manifest_digest: str
    signature: str
    key_id: str

    @property
    def model(self) -> Any:
        """The registered model, by `name`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredArtefact:
    """What a version row keeps of its artefact."""

    manifest_digest: str
    signature: str
    key_id: str
    size_bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class VerifiedArtefact:
    """An artefact's manifest and files, as bytes that passed every check; `data` are the manifest's own."""

    manifest: dict[str, Any]
    files: dict[str, bytes]
    data: bytes


def write_artefact(files: Mapping[str, bytes], about: Mapping[str, Any]) -> StoredArtefact:
    """Sign the files and put them in a folder named by the digest of their manifest."""
    data = manifests.build_manifest(files, about)
    size = sum(len(content) for content in files.values())
    if size > _limit() or len(data) > manifests.MAX_MANIFEST_BYTES:
        raise ArtefactTooLargeError(
            f"an artefact may be {settings.CONFIG.model.max_artefact_mb} MB (model.max_artefact_mb), got {size} bytes",
            limit=_limit(),
            got=size,
        )
    return keep_artefact(files, data, keys.sign(data))


def keep_artefact(files: Mapping[str, bytes], data: bytes, signature: keys.Signature) -> StoredArtefact:
    """Put files with their signed manifest in a folder named by its digest."""
    folder = _folder(manifests.sha256(data))
    contents = {**files, manifests.MANIFEST_NAME: data, manifests.SIGNATURE_NAME: keys.signature_text(signature)}
    try:
        _write_folder(folder, contents)
    except OSError as error:
        raise ArtefactWriteError(f"the artefact can't be written: {error.strerror or error}") from error
    return StoredArtefact(
        manifest_digest=folder.name,
        signature=signature.value,
        key_id=signature.key_id,
        size_bytes=sum(map(len, files.values())),
    )


def read_artefact(version: SignedVersion, *, only: Collection[str] | None = None) -> VerifiedArtefact:
    """Read a version's artefact, or only some files of it, once and check it before any byte is interpreted."""
    if not manifests.is_digest(version.manifest_digest):
        raise ArtefactCorruptError("the version's row does not name an artefact: its manifest digest has another form")
    folder = _folder(version.manifest_digest)
    data = _read(folder / manifests.MANIFEST_NAME, manifests.MAX_MANIFEST_BYTES)
    if (got := manifests.sha256(data)) != version.manifest_digest:
        raise ArtefactCorruptError(
            f"{manifests.MANIFEST_NAME} was changed: sha256 must be {version.manifest_digest[:16]}…, got {got[:16]}…",
            file=manifests.MANIFEST_NAME,
        )
    _check_signature(folder, data, version)
    manifest = manifests.parse_manifest(data)
    manifests.check_identity(manifest, version.model.name, version.number)
    listed = {name: entry for name, entry in manifest["files"].items() if only is None or name in only}
    return VerifiedArtefact(manifest=manifest, files=_read_files(folder, listed), data=data)


def discard_artefact(stored: StoredArtefact) -> None:
    """Remove an artefact that no row has come to name."""
    shutil.rmtree(_folder(stored.manifest_digest), ignore_errors=True)


def _limit() -> int:
    return int(settings.CONFIG.model.max_artefact_mb) * MEGABYTE


def _folder(digest: str) -> Path:
    return var_path("artefacts", digest)


def _write_folder(folder: Path, contents: Mapping[str, bytes]) -> None:
    temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=HALF_WRITTEN))
    try:
        for name, content in contents.items():
            with (temporary / name).open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        fsync_folder(temporary)
        temporary.rename(folder)
    except BaseException as error:
        shutil.rmtree(temporary, ignore_errors=True)
        if isinstance(error, OSError) and error.errno in (errno.ENOTEMPTY, errno.EEXIST) and _holds(folder, contents):
            # The same bytes, written before: whoever clears away what is old and unnamed sees that it is wanted again.
            os.utime(folder)
            return
        raise
    fsync_folder(folder.parent)


def _holds(folder: Path, contents: Mapping[str, bytes]) -> bool:
    try:
        return all(_read(folder / name, len(content)) == content for name, content in contents.items())
    except ArtefactError:
        return False


def _check_signature(folder: Path, data: bytes, version: SignedVersion) -> None:
    signature = keys.Signature(key_id=version.key_id, value=version.signature)
    if not signature.value:
        raise ArtefactUnsignedError("the version's row holds no signature: register the model again")
    try:
        written = _read(folder / manifests.SIGNATURE_NAME, 1024)
    except ArtefactMissingError as error:
        raise ArtefactUnsignedError(f"the artefact has no {manifests.SIGNATURE_NAME}: it was never signed") from error
    if written != keys.signature_text(signature):
        raise ArtefactUntrustedError(
            f"{manifests.SIGNATURE_NAME} and the version's row disagree: one of them was changed",
            file=manifests.SIGNATURE_NAME,
        )
    keys.verify(data, signature)


def _read_files(folder: Path, listed: Mapping[str, Mapping[str, Any]]) -> dict[str, bytes]:
    if sum(entry["size"] for entry in listed.values()) > _limit():
        raise ArtefactTooLargeError(f"an artefact may be {_limit()} bytes (model.max_artefact_mb)", limit=_limit())
    files = {}
    for name, entry in listed.items():
        files[name] = _read(folder / name, entry["size"])
        manifests.check_file(name, files[name], entry)
    return files


def _read(path: Path, limit: int) -> bytes:
    """Open the file once; a size over the limit is refused before anything is read."""
    try:
        # Not blocking: a pipe in the file's place would keep whoever opens it waiting for ever.
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        return _read_open(handle, path.name, limit)
    except OSError as error:
        raise ArtefactMissingError(
            f"{path.name} of artefact {path.parent.name[:16]}… can't be opened ({error.strerror}): restore it, "
            "or register the model again",
            file=path.name,
        ) from error


def _read_open(handle: int, name: str, limit: int) -> bytes:
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise ArtefactCorruptError(f"{name} must be a plain file", file=name)
        if found.st_size > limit:
            raise ArtefactCorruptError(f"{name} may be {limit} bytes, got {found.st_size}", file=name)
        with os.fdopen(handle, "rb", closefd=False) as file:
            return file.read(limit + 1)
    finally:
        os.close(handle)
