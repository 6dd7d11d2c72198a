"""Ids of predictions: random, and drawn many at a time."""

import os
from uuid import UUID

DRAWN = 256
# Where a version 4 stands among the 128 bits, and the variant of RFC 9562.
_KEPT = ~((0xF000 << 64) | (0xC000 << 48))
_SET = (4 << 76) | (0x8000 << 48)
_waiting: list[int] = []
# A forked child would give the same ids as its parent.
os.register_at_fork(after_in_child=_waiting.clear)


def new_id() -> UUID:
    """Return a random id."""
    try:
        number = _waiting.pop()
    except IndexError:
        drawn = os.urandom(16 * DRAWN)
        _waiting.extend(int.from_bytes(drawn[start : start + 16], "big") for start in range(16, 16 * DRAWN, 16))
        number = int.from_bytes(drawn[:16], "big")
    return UUID(int=number & _KEPT | _SET)
