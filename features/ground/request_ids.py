"""The id of a request: the caller's if it is usable, a new one otherwise; and the trace it belongs to."""

import re

from features.ground.ordered_ids import ordered_hex

_USABLE = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
# W3C Trace Context: version, trace, parent, flags; a later version may add to it.
_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}(?:-.{0,200})?"
)


def request_id(given: str) -> str:
    """Return the given id if it is short and plain, else a new one."""
    return given if given and _USABLE.fullmatch(given) else ordered_hex()


def trace_of(traceparent: str) -> dict[str, str]:
    """Return the ids of the trace and of the caller's span in a `traceparent` header; nothing if it is none."""
    found = _TRACEPARENT.fullmatch(traceparent)
    return {"trace_id": found[1], "parent_id": found[2]} if found else {}
