"""The moments at which an action's writes happen, told to whoever watches; nobody does outside the tests."""

from collections.abc import Callable

Watcher = Callable[[str], None]
"""Called with the name of the write that comes next."""

_watchers: list[Watcher] = []


def step(name: str) -> None:
    """Say which write comes next, where no file, folder or database of ours shows it: a library does it unseen."""
    for watcher in _watchers:
        watcher(name)


def watch_steps(watcher: Watcher) -> None:
    """Have a function called at each step of this process from now on; no setting and no variable can ask for it."""
    _watchers.append(watcher)
