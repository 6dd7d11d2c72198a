"""The shape of a store of online values; the database is one, Redis another."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol


class Generation(NamedTuple):
    """One online snapshot of a view, named so that no other database's can be taken for it."""

    view: int
    snapshot: int
    fingerprint: str


class Found(NamedTuple):
    """What a view serves for some entities, all of one snapshot."""

    generation: Generation
    packed: Mapping[str, bytes]


class OnlineStore(Protocol):
    """Packed values by snapshot and entity key, and a pointer from each view to the snapshot it serves.

    A snapshot is filled while nobody reads it, then the pointer moves; `read` follows the pointer and takes the values
    in one step, so that it sees one snapshot whatever happens beside it.
    """

    name: str

    def read(self, view: str, number: int | None, keys: Sequence[str]) -> Found | None:
        """Return the values of the entities that have any; None where the view serves nothing from here."""

    def live(self, view: int) -> int | None:
        """Return the snapshot a view serves from here."""

    def writing(self) -> AbstractContextManager[object]:
        """Return what to put around each call of `carry` and `put`."""

    def carry(self, source: Generation, target: Generation, but: Sequence[str], after: str | None) -> str | None:
        """Copy a part of a snapshot, save some keys; return the key after which the next part begins, None at the end.

        Comes before any `put`.
        """

    def put(self, target: Generation, keys: Sequence[str], packed: Sequence[bytes]) -> None:
        """Add values to a snapshot nobody reads."""

    def count(self, generation: Generation) -> int:
        """Return how many entities a snapshot holds."""

    def some_keys(self, generation: Generation, count: int) -> list[str]:
        """Return the keys of a few entities a snapshot holds."""

    def publish(self, view: int) -> None:
        """Have readers see what the database says the view serves."""
