"""Stable codes for what nobody expected."""

import errno

INTERNAL = "internal_error"
CODES: dict[type[BaseException], str] = {MemoryError: "out_of_memory", TimeoutError: "time_limit"}


def failure_code(error: BaseException) -> str:
    """Return the code under which an unexpected error is recorded.

    Parameters
    ----------
    error : BaseException
        What a handler raised.

    Returns
    -------
    str
        `disk_full`, `out_of_memory`, `time_limit` or `internal_error`.
    """
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "disk_full"
    return next((code for kind, code in CODES.items() if isinstance(error, kind)), INTERNAL)
