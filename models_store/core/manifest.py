"""The manifest: what an artefact holds, in the bytes that are signed."""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from features.ground.canonical import canonical_json
from features.ground.errors import bounded
from models_store.errors import ArtefactCorruptError, ArtefactSwappedError, BadVersionError

FORMAT = 1
MANIFEST_NAME = "manifest.json"
SIGNATURE_NAME = "manifest.sig"
MAX_MANIFEST_BYTES = 16 * 1024 * 1024
_FILE_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,99}")
_DIGEST = re.compile(r"[0-9a-f]{64}")


def sha256(data: bytes) -> str:
    """Return the digest of bytes.

    Parameters
    ----------
    data : bytes
        Any.

    Returns
    -------
    str
        sha256 in hexadecimal.
    """
    return hashlib.sha256(data).hexdigest()


def is_digest(text: str) -> bool:
    """Tell whether the text is a sha256 in hexadecimal, and so safe as the name of a folder.

    Parameters
    ----------
    text : str
        From a row or a manifest.

    Returns
    -------
    bool
        True for 64 lower-case hexadecimal digits.
    """
    return bool(_DIGEST.fullmatch(text))


def build_manifest(files: Mapping[str, bytes], about: Mapping[str, Any]) -> bytes:
    """Describe an artefact in the bytes to be signed.

    Parameters
    ----------
    files : mapping of str to bytes
        The artefact's files by name.
    about : mapping
        `model` and `version`, and whatever else belongs to them; JSON-compatible, no NaN.

    Returns
    -------
    bytes
        Canonical JSON: equal contents give equal bytes.

    Raises
    ------
    BadVersionError
        If a file name is not plain, there is no file, or `about` does not say whose artefact it is.
    """
    if not isinstance(about.get("model"), str) or not isinstance(about.get("version"), int):
        raise BadVersionError("a manifest must name its model and version")
    if not files:
        raise BadVersionError("an artefact holds at least one file, got none")
    for name in files:
        if not _FILE_NAME.fullmatch(name) or name in (MANIFEST_NAME, SIGNATURE_NAME):
            raise BadVersionError(f"an artefact's file can't be called {bounded(name)!r}", name=bounded(name))
    return canonical_json({**about, "format": FORMAT, "files": listed(files)})


def listed(files: Mapping[str, bytes]) -> dict[str, dict[str, Any]]:
    """Return what a manifest says of files.

    Parameters
    ----------
    files : mapping of str to bytes
        Contents by name.

    Returns
    -------
    dict
        `sha256` and `size` by name.
    """
    return {name: {"sha256": sha256(data), "size": len(data)} for name, data in files.items()}


def parse_manifest(data: bytes) -> dict[str, Any]:
    """Read a manifest whose digest and signature have been checked.

    Parameters
    ----------
    data : bytes
        The manifest's bytes.

    Returns
    -------
    dict
        The manifest; `files` maps plain names to `sha256` and `size`.

    Raises
    ------
    ArtefactCorruptError
        If it is not a manifest of a format this code knows.
    """
    try:
        manifest = json.loads(data)
    except ValueError as error:
        raise ArtefactCorruptError(f"the manifest is not JSON: {error}") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise ArtefactCorruptError(f"the manifest is not of format {FORMAT}")
    files = manifest.get("files")
    if not isinstance(files, dict) or not all(_is_entry(name, entry) for name, entry in files.items()):
        raise ArtefactCorruptError("the manifest's list of files has another form")
    return manifest


def _is_entry(name: str, entry: Any) -> bool:
    named = bool(_FILE_NAME.fullmatch(name)) and isinstance(entry, dict)
    return named and isinstance(entry.get("size"), int) and is_digest(str(entry.get("sha256")))


def check_identity(manifest: Mapping[str, Any], model: str, number: int) -> None:
    """Refuse the artefact of another model or version.

    Parameters
    ----------
    manifest : mapping
        A parsed manifest.
    model : str
        The model it must name.
    number : int
        The version it must name.

    Raises
    ------
    ArtefactSwappedError
        If it names another.
    """
    named = (manifest.get("model"), manifest.get("version"))
    if named != (model, number):
        raise ArtefactSwappedError(
            f"the artefact is of {bounded(named[0])}@{bounded(named[1])}, not of {model}@{number}: "
            "restore the right one or register the model again",
            model=model,
            version=number,
        )


def check_file(name: str, data: bytes, entry: Mapping[str, Any]) -> None:
    """Refuse a file whose bytes are not those the manifest lists.

    Parameters
    ----------
    name : str
        The file's name.
    data : bytes
        Its bytes.
    entry : mapping
        Its `sha256` and `size` in the manifest.

    Raises
    ------
    ArtefactCorruptError
        If size or digest differ.
    """
    if len(data) != entry["size"]:
        raise ArtefactCorruptError(
            f"{name} must be {entry['size']} bytes, got {len(data)}: truncated or overwritten", file=name
        )
    if (got := sha256(data)) != entry["sha256"]:
        raise ArtefactCorruptError(
            f"{name} was changed after it was signed: sha256 must be {entry['sha256'][:16]}…, got {got[:16]}…",
            file=name,
        )
