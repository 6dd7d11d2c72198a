"""Make, rotate and trust signing keys; each is audited."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import transaction

from features.ground.audit import audited_refusals
from models_store.actions.audit import append_audit
from models_store.adapters import key_files, keys


@dataclass(frozen=True, kw_only=True, slots=True)
class ChangedKeys:
    """What came of it.

    Attributes
    ----------
    key_ids : list of str
        Names of the keys that were made, or are trusted from now on.
    public_keys : list of str
        The same keys, in base64.
    previous : str
        Name of the key that signed before; empty but for a rotation.
    """

    key_ids: list[str]
    public_keys: list[str]
    previous: str = ""


def new_key(path: Path, *, actor: str) -> ChangedKeys:
    """Make a key pair: the private key in a file of its own, the public one in the answer.

    Parameters
    ----------
    path : Path
        Where no file is yet.
    actor : str
        Who asks.

    Returns
    -------
    ChangedKeys
        The new key, which nobody trusts yet.

    Raises
    ------
    BadKeyFileError
        If the file can't be made.
    """
    with _refusals(actor, "new_key", path.name):
        text = key_files.make_key_file(path)
        name = keys.key_id(keys.public_from(text, path.name))
        _record(actor, "new_key", name, {"file": path.name})
    return ChangedKeys(key_ids=[name], public_keys=[text])


def rotate_key(*, actor: str) -> ChangedKeys:
    """Sign with a new key from now on; what the old one signed stays valid.

    Parameters
    ----------
    actor : str
        Who asks.

    Returns
    -------
    ChangedKeys
        The new key, and the previous one's name.

    Raises
    ------
    KeyKeptElsewhereError, BadKeyFileError
        If the key is set by setting, or the files can't be written.
    """
    with _refusals(actor, "rotate_key", ""):
        previous, name = key_files.rotate_own()
        _record(actor, "rotate_key", name, {"previous": previous})
    return ChangedKeys(key_ids=[name], public_keys=[keys.public_key_text()], previous=previous)


def trust_keys(path: Path, *, actor: str) -> ChangedKeys:
    """Trust the public keys of a file: what they have signed may be imported and served here.

    Parameters
    ----------
    path : Path
        A public key a line, in base64.
    actor : str
        Who asks.

    Returns
    -------
    ChangedKeys
        Those that were not trusted before.

    Raises
    ------
    BadKeyFileError
        If the file can't be read or a line is no key; then none of them is trusted.
    """
    with _refusals(actor, "trust_key", path.name):
        texts = key_files.read_key_file(path)
        fresh = key_files.keep_trusted(texts)
        for name in fresh:
            _record(actor, "trust_key", name, {"file": path.name})
    by_name = {keys.key_id(keys.public_from(text, path.name)): text for text in texts}
    return ChangedKeys(key_ids=fresh, public_keys=[by_name[name] for name in fresh])


def _refusals(actor: str, action: str, name: str) -> Any:
    return audited_refusals(actor=actor, action=action, object_type="signing_key", object_id=name)


def _record(actor: str, action: str, name: str, after: Mapping[str, Any]) -> None:
    with transaction.atomic(durable=True):
        append_audit(actor=actor, action=action, object_type="signing_key", object_id=name, after=after)
