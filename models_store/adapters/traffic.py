"""How much a version has answered, as the floor above tells: it keeps the prediction log, and says here who counts."""

from collections.abc import Callable

from models_store.core.gates.known import Traffic

Counter = Callable[[int], Traffic]
"""Given a version's id, what it has answered in shadow or as canary."""

_counters: list[Counter] = []


def count_traffic_with(counter: Counter) -> None:
    """Say who counts; called once, when the app that keeps the prediction log is ready."""
    _counters[:] = [counter]


def served_traffic(version_id: int) -> Traffic:
    """Return what a version has answered; nothing, where nobody keeps a log."""
    return _counters[0](version_id) if _counters else Traffic()
