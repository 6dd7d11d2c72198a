"""A bundle: a version's artefact and what its row says of it, in one file whose every byte is accounted for."""

import io
import json
import re
import stat
import struct
import zipfile
from collections.abc import Mapping
from typing import Any

from features.ground.canonical import canonical_json
from features.ground.errors import bounded
from models_store.core.manifest import MANIFEST_NAME, SIGNATURE_NAME, check_file, listed
from models_store.errors import ArtefactError, BundleRefusedError

FORMAT = 1
ABOUT_NAME = "bundle.json"
ABOUT_SIGNATURE = "bundle.sig"
# For people: what the exporting side knew of the version.
CARD_NAME = "model_card.md"
NEEDED = (ABOUT_NAME, ABOUT_SIGNATURE, MANIFEST_NAME, SIGNATURE_NAME)
MAX_MEMBERS = 50
# What is not the artefact's: a bundle's text and signatures, and the zip's own directory.
OVERHEAD_BYTES = 64 * 1024 * 1024
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,99}")
_MODE = stat.S_IFREG | 0o644
_UNREADABLE = (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, RuntimeError, EOFError, ValueError,
               OverflowError, OSError, struct.error)  # fmt: skip


def about_bundle(members: Mapping[str, bytes], said: Mapping[str, Any]) -> bytes:
    """Return the text that the exporting key signs.

    Parameters
    ----------
    members : mapping of str to bytes
        Every file but this text and its signature.
    said : mapping
        What the version's row says; JSON-compatible.

    Returns
    -------
    bytes
        Canonical JSON, with the size and sha256 of each member.
    """
    return canonical_json({**said, "format": FORMAT, "members": listed(members)})


def pack(members: Mapping[str, bytes]) -> bytes:
    """Return members as a zip that is the same for the same members.

    Parameters
    ----------
    members : mapping of str to bytes
        Contents by plain name.

    Returns
    -------
    bytes
        Stored, not compressed, in the order of names, without times.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(members):
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.create_system, entry.external_attr = 3, _MODE << 16
            archive.writestr(entry, members[name])
    return buffer.getvalue()


def unpack(blob: bytes) -> dict[str, bytes]:
    """Read a bundle's members into memory; nothing is written, and no member is interpreted.

    Parameters
    ----------
    blob : bytes
        The whole file, within the size limit.

    Returns
    -------
    dict of str to bytes
        Contents by plain name.

    Raises
    ------
    BundleRefusedError
        If it is not byte for byte what `pack` makes of its members.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(blob)) as archive:
            entries = archive.infolist()
            _check_entries(entries, len(blob))
            members = {entry.filename: archive.read(entry) for entry in entries}
    except _UNREADABLE as error:
        raise BundleRefusedError(f"the file is no bundle, or it was damaged: {bounded(str(error), 200)}") from error
    if missing := [name for name in NEEDED if name not in members]:
        raise BundleRefusedError(f"the bundle has no {', '.join(missing)}")
    # What no member accounts for, such as bytes before, between and after them, is nobody's and so refused.
    if pack(members) != blob:
        raise BundleRefusedError(
            "the bundle is not in the form `bundle export` writes: it was changed or made elsewhere"
        )
    return members


def _check_entries(entries: list[zipfile.ZipInfo], size: int) -> None:
    if not 1 <= len(entries) <= MAX_MEMBERS:
        raise BundleRefusedError(f"a bundle has 1 to {MAX_MEMBERS} members, got {len(entries)}")
    seen = set()
    for entry in entries:
        name = bounded(entry.orig_filename)
        if not _NAME.fullmatch(entry.orig_filename) or entry.filename != entry.orig_filename:
            raise BundleRefusedError(f"a bundle's member has a plain name, got {name!r}", name=name)
        if name in seen:
            raise BundleRefusedError(f"the bundle has two members called {name}", name=name)
        seen.add(name)
        if entry.external_attr >> 16 != _MODE:
            raise BundleRefusedError(f"{name} must be a plain file: no link, no folder, no device", name=name)
        if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size:
            raise BundleRefusedError(f"{name} must be stored as it is, got a compressed member", name=name)
    if sum(entry.file_size for entry in entries) > size:
        raise BundleRefusedError("the members claim more bytes than the bundle has")


def checked_members(about: bytes, members: Mapping[str, bytes]) -> dict[str, Any]:
    """Read the text whose signature has been checked, and hold the members against it.

    Parameters
    ----------
    about : bytes
        `bundle.json`.
    members : mapping of str to bytes
        Every member.

    Returns
    -------
    dict
        What the exporting installation said.

    Raises
    ------
    BundleRefusedError
        If it is of another format, or a member is missing, added or changed.
    """
    try:
        said = json.loads(about)
    except ValueError as error:
        raise BundleRefusedError(f"{ABOUT_NAME} is not JSON: {error}") from error
    if not isinstance(said, dict) or said.get("format") != FORMAT:
        raise BundleRefusedError(f"the bundle is not of format {FORMAT}, which is what this installation reads")
    others = {name: data for name, data in members.items() if name not in (ABOUT_NAME, ABOUT_SIGNATURE)}
    if set(said["members"]) != set(others):
        raise BundleRefusedError("the bundle's members are not those it lists")
    for name, data in others.items():
        try:
            check_file(name, data, said["members"][name])
        except ArtefactError as error:
            raise BundleRefusedError(error.message, name=name) from error
    return said
