"""Kill an action at its first write, at its second, and so on, until it lives to its end.

    for kill in kill_everywhere("features.actions.ingest.ingest", prepare):
        ...  # prepare(kill.n) made the old state; here it is the old one or the new

A write is whatever changes a file or folder below the run-time folder, a statement that writes to the database, its
commit (just before, and just after), and each `features.ground.steps.step`. The action runs in a process of its own,
forked from one that has imported everything and used nothing, on the database and in the run-time folder of the test.
All tests of a process of pytest share that one.

What a library writes by itself is seen by neither. `tear_everywhere` has the process die in the middle of it, at the
byte that makes a file too large; `kill_at_sight` kills it when the n-th file has come into a folder.
"""

import atexit
import base64
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings

MAX_WRITES = 400


@dataclass(frozen=True, kw_only=True, slots=True)
class Kill:
    """One kill: before the n-th write, and which one that was."""

    n: int
    at: str


def kill_everywhere(
    action: str, prepare: Callable[[int], Mapping[str, Any]], *, first: int = 1, preload: tuple[str, ...] = ()
) -> Iterator[Kill]:
    """Run an action again and again, each time killed one write later; end when one run lives.

    Parameters
    ----------
    action : str
        Dotted name of a function.
    prepare : callable
        Called with n before each run: makes the state the n-th run begins in, which must be of its own (a dataset of
        another name), and returns the function's keyword arguments, which must pickle.
    first : int
        The n to begin with.
    preload : tuple of str
        More modules to import before the first run, such as an engine.

    Yields
    ------
    Kill
        After each run that was killed, for the test to look at what is left and to run the action again.
    """
    yield from _until_it_lives(action, preload, range(first, MAX_WRITES), lambda n: {"n": n, "arguments": prepare(n)})


def tear_everywhere(
    action: str, prepare: Callable[[int], Mapping[str, Any]], *, inside: str, sizes: Sequence[int]
) -> Iterator[Kill]:
    """Run an action again and again, which dies at the byte that makes a library's file larger than a size.

    The size holds from the step that is called `inside` to the next one. The last size must be one that no file has;
    the rest is as in `kill_everywhere`.
    """
    yield from _until_it_lives(action, (), sizes, lambda n: {"size": n, "inside": inside, "arguments": prepare(n)})


def kill_at_sight(action: str, prepare: Callable[[int], Mapping[str, Any]], folder: str) -> Iterator[Kill]:
    """Run an action again and again, killed when the n-th change of a folder's files is seen while a library writes.

    `{n}` in the folder's name, which is below the run-time folder, stands for the n; the rest is as in
    `kill_everywhere`.
    """

    def order(n: int) -> dict[str, Any]:
        return {"arguments": prepare(n), "folder": str(Path(settings.VAR_DIR, folder.format(n=n))), "changes": n}

    yield from _until_it_lives(action, (), range(1, MAX_WRITES), order)


def _until_it_lives(
    action: str, preload: tuple[str, ...], numbers: Sequence[int], order: Callable[[int], dict[str, Any]]
) -> Iterator[Kill]:
    whole = {"action": action, "modules": (action.rpartition(".")[0], *preload), "var_dir": str(settings.VAR_DIR)}
    for n in numbers:
        died = _ask({**whole, **order(n)})
        if died is None:
            assert n > numbers[0], f"{action} made no write that could be seen"
            return
        yield Kill(n=n, at=died)
    raise AssertionError(f"{action} had not ended after {numbers[-1]} writes")


def _ask(order: dict[str, Any]) -> str | None:
    """Have a victim forked for an order; return where it was killed, or None if it lived."""
    from tests.pipeline.jobs import child_environ

    # Threads would not survive the fork.
    alone = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    environ = {name: value for name, value in child_environ(**alone).items() if name != "PYTEST_CURRENT_TEST"}
    nursery = _nursery(frozenset(environ.items()))
    assert nursery.stdin is not None
    assert nursery.stdout is not None
    try:
        print(base64.b64encode(pickle.dumps(order)).decode(), file=nursery.stdin, flush=True)
        kind, _, text = nursery.stdout.readline().rstrip("\n").partition(" ")
        assert kind in ("killed", "lived"), text or "the victim's parent died; see above"
    except BaseException:
        # Or the next test would hear what was meant for this one.
        nursery.kill()
        _nursery.cache_clear()
        raise
    return text if kind == "killed" else None


@cache
def _nursery(environ: frozenset[tuple[str, str]]) -> "subprocess.Popen[str]":
    """Start the process that all victims of an environment are forked from; to start costs more than most runs."""
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    nursery = subprocess.Popen([sys.executable, "-m", "tests.victims"], env=dict(environ), **pipes)
    atexit.register(nursery.communicate)
    return nursery
