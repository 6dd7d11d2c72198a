"""How long to wait before a delivery is tried again."""

FIRST_SECONDS = 10
LONGEST_SECONDS = 3600
MAX_ATTEMPTS = 20


def wait_seconds(attempt: int) -> float:
    """Return the wait after an attempt that failed: twice as long each time, an hour at most.

    Parameters
    ----------
    attempt : int
        Which attempt it was, from 1.

    Returns
    -------
    float
        Seconds.
    """
    return float(min(FIRST_SECONDS * 2 ** min(attempt - 1, 12), LONGEST_SECONDS))
