"""One byte form for a value, so that equal values have equal digests."""

import hashlib
import json
from datetime import UTC, datetime
from typing import Any


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    raise TypeError(f"no canonical form for {type(value).__name__}")


def canonical_json(value: Any) -> bytes:
    """Return the value as JSON with sorted keys, no spaces, UTF-8 and no NaN.

    Raises
    ------
    ValueError
        If the value holds NaN or an infinity.
    TypeError
        If the value holds something JSON has no form for.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=_plain)
    return text.encode()


def digest(value: Any) -> str:
    """Return the sha256 of the canonical JSON, in hexadecimal."""
    return hashlib.sha256(canonical_json(value)).hexdigest()
