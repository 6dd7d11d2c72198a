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
    link : Link or None
        What is hashed; None for a row that can't be read any more.
    hash : str
        The hash stored beside it.
    """

    number: int
    link: Link | None
    hash: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkpoint:
    """The chain's length and head at a time.

    Attributes
    ----------
    entry : int
        Number of the last entry.
    entries : int
        How many entries there were.
    head : str
        Hash of the last entry.
    at : datetime
        When it was noted, aware.
    """

    entry: int
    entries: int
    head: str
    at: datetime


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
        Number of the first entry that fails; of one that was removed from the end, the number it had or would have.
    head : str
        Hash of the last sound entry; what the next one has to name.
    last : int
        Number of the last sound entry, 0 for none.
    why : str
        What is wrong, in words; empty where nothing is.
    """

    ok: bool
    entries: int
    first_bad: int | None = None
    head: str = GENESIS
    last: int = 0
    why: str = ""


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


def checkpoint_bytes(checkpoint: Checkpoint) -> bytes:
    """Return what is signed of a checkpoint.

    Parameters
    ----------
    checkpoint : Checkpoint
        Length and head of the chain.

    Returns
    -------
    bytes
        Its canonical form, which names its purpose: no signature of another thing fits it.
    """
    fields = {name: getattr(checkpoint, name) for name in Checkpoint.__dataclass_fields__}
    return b"audit checkpoint " + digest(fields).encode()


def verify_chain(
    entries: Iterable[StoredLink], checkpoints: Iterable[Checkpoint] = (), *, since: Checkpoint | None = None
) -> ChainCheck:
    """Check entries in the order they were appended, against the heads that were noted on the way.

    Parameters
    ----------
    entries : iterable of StoredLink
        All entries, oldest first; read one at a time.
    checkpoints : iterable of Checkpoint
        Lowest entry first; signed ones find what was taken from the end.
    since : Checkpoint, optional
        Where the check begins, if the entries are those after it.

    Returns
    -------
    ChainCheck
        Whether the chain holds, and where it breaks.
    """
    last, count, previous = (since.entry, since.entries, since.head) if since else (0, 0, GENESIS)
    noted = iter(checkpoints)
    due = next(noted, None)

    def broken(number: int, why: str) -> ChainCheck:
        return ChainCheck(ok=False, entries=count, first_bad=number, head=previous, last=last, why=why)

    for entry in entries:
        count += 1
        if due and entry.number > due.entry:
            return broken(entry.number, f"entries up to {due.entry} were there and are gone")
        if entry.link is None:
            return broken(entry.number, "the row can't be read")
        if entry.link.previous_hash != previous:
            return broken(entry.number, "it does not follow the entry before it")
        if link_hash(entry.link) != entry.hash:
            return broken(entry.number, "it is not what was hashed")
        previous, last = entry.hash, entry.number
        if due and entry.number == due.entry:
            if (due.entries, due.head) != (count, previous):
                return broken(entry.number, "it is not the entry that was signed")
            due = next(noted, None)
    if due:
        return broken(last + 1, f"{due.entries} entries were signed, {count} are there: the end was taken off")
    return ChainCheck(ok=True, entries=count, head=previous, last=last)


def _steady(value: Any) -> Any:
    """Give a whole number one form: a database may answer 1 where 1.0 was stored."""
    if isinstance(value, Mapping):
        return {str(key): _steady(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_steady(part) for part in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
