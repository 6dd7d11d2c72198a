"""Ids that are random and begin with their time (UUID version 7, RFC 9562).

Rows that are written together stand together in an index: each random place would be a page to read, change and write.
"""

import os
import time
from datetime import UTC, datetime, timedelta
from uuid import UUID

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DRAWN = 256
_VERSION = 7
_SIZE = 10
# The version and the variant, and the 74 bits between and after them that are random.
_MARKS = (_VERSION << 76) | (2 << 62)
_RANDOM = (0xFFF << 64) | ((1 << 62) - 1)
_waiting: list[int] = []
# A forked child would give the same ids as its parent.
os.register_at_fork(after_in_child=_waiting.clear)


def ordered_id() -> UUID:
    """Return a new id; who knows others can't guess it."""
    return UUID(int=ordered_number(time.time_ns()))


def made_at(key: UUID) -> datetime | None:
    """Return when an id was made, to the millisecond; None for an id of another kind."""
    return EPOCH + timedelta(milliseconds=key.int >> 80) if key.version == _VERSION else None


def ordered_hex() -> str:
    """Return a new id as 32 hexadecimal digits."""
    return "%032x" % ordered_number(time.time_ns())  # noqa: UP031 (takes half as long as a format string)


def ordered_number(at_ns: int) -> int:
    """Return the 128 bits of a new id of that time, in nanoseconds since 1970."""
    try:
        drawn = _waiting.pop()
    except IndexError:
        drawn = _draw()
    return (at_ns // 1_000_000 << 80) | drawn


def _draw() -> int:
    many = os.urandom(_SIZE * DRAWN)
    drawn = [int.from_bytes(many[start : start + _SIZE], "big") for start in range(0, len(many), _SIZE)]
    marked = [(number & _RANDOM) | _MARKS for number in drawn]
    _waiting.extend(marked[1:])
    return marked[0]
