"""A full disk as an error of its own, whichever library meets it."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from deltalake.exceptions import DeltaError
from django.db import OperationalError

from features.errors import DiskFullError

FULL = {errno.ENOSPC, errno.EDQUOT}
# What those say that give no number: SQLite, and the writers of Delta and Arrow.
WORDS = ("no space left on device", "disk is full", "disk quota exceeded", "os error 28", "errno 28")


@contextmanager
def room_on_disk(what: str) -> Iterator[None]:
    """Turn a full disk into one error that names what was being written."""
    try:
        yield
    except (OSError, OperationalError, DeltaError) as error:
        if not is_full(error):
            raise
        text = f"the disk is full; nothing of {what!r} was kept. Free some room below VAR_DIR and run it again"
        raise DiskFullError(text) from error


def is_full(error: BaseException) -> bool:
    """Tell whether an error means that a disk is full."""
    if isinstance(error, OSError) and error.errno in FULL:
        return True
    return any(word in str(error).lower() for word in WORDS)
