"""The id of a request: the caller's if it is usable, a new one otherwise."""

import re
import uuid

_USABLE = re.compile(r"[A-Za-z0-9_.:-]{1,64}")


def request_id(given: str) -> str:
    """Return the given id if it is short and plain, else a new one."""
    return given if _USABLE.fullmatch(given) else uuid.uuid4().hex
