"""How long one answer takes."""

import statistics
import time
from collections.abc import Callable

RUNS = 21
LIMIT_S = 2.0


def median_ms(ask: Callable[[], object]) -> float:
    """Return the median time of a call in milliseconds; a slow one is called less often."""
    ask()  # the first call pays for what later ones find ready
    taken: list[float] = []
    started = time.perf_counter()
    while len(taken) < RUNS and time.perf_counter() - started < LIMIT_S:
        begun = time.perf_counter()
        ask()
        taken.append(1000 * (time.perf_counter() - begun))
    return statistics.median(taken)
