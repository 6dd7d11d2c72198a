"""The audit's hash chain: every entry names the hash of the one before it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from features.ground.canonical import digest

GENESIS = "0" * 64
"""What the first entry gives as the hash before it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Link:
    """One audit entry as it is hashed.

    Attributes
    ----------
    at : datetime
        When it was done, aware.
    actor, action, object_type, object_id, reason, request_id : str
        Who did what to which object, why, and under which request.
    before, after : mapping
        What changed; JSON-compatible.
    previous_hash : str
        Hash of the entry before this one.
    """

    at: datetime
    actor: str
    action: str
    object_type: str
    object_id: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    reason: str
    request_id: str
    previous_hash: str


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredLink:
    """An entry as a table holds it.

    Attributes
    ----------
    number : int
        The entry's number in the table.
    link : Link
        What is hashed.
    hash : str
        The hash stored beside it.
    """

    number: int
    link: Link
    hash: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ChainCheck:
    """What checking the chain found.

    Attributes
    ----------
    ok : bool
        Whether every entry follows the one before it and has its own hash.
    entries : int
        Entries that were checked, the first bad one included.
    first_bad : int or None
        Number of the first entry that fails.
    """

    ok: bool
    entries: int
    first_bad: int | None = None


def link_hash(link: Link) -> str:
    """Return the hash of an entry, the same before it is stored and after it is read back.

    Parameters
    ----------
    link : Link
        The entry.

    Returns
    -------
    str
        sha256 in hexadecimal.
    """
    fields = {name: getattr(link, name) for name in Link.__dataclass_fields__}
    return digest({**fields, "before": _steady(link.before), "after": _steady(link.after)})


def verify_chain(entries: Iterable[StoredLink]) -> ChainCheck:
    """Check entries in the order they were appended, from the first.

    Parameters
    ----------
    entries : iterable of StoredLink
        All entries, oldest first; read one at a time.

    Returns
    -------
    ChainCheck
        Whether the chain holds, and where it breaks.
    """
    previous, count = GENESIS, 0
    for entry in entries:
        count += 1
        if entry.link.previous_hash != previous or link_hash(entry.link) != entry.hash:
            return ChainCheck(ok=False, entries=count, first_bad=entry.number)
        previous = entry.hash
    return ChainCheck(ok=True, entries=count)


def _steady(value: Any) -> Any:
    """Give a whole number one form: a database may answer 1 where 1.0 was stored."""
    if isinstance(value, Mapping):
        return {str(key): _steady(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_steady(part) for part in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
