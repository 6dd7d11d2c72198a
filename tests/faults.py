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
import os
import pickle
import resource
import select
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from django.conf import settings

MAX_WRITES = 400
# How the steps are called after which a library writes.
INSIDE = ("commit of", "removal", "undoing")
MOMENT = 0.0002
CHANGES = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate"}
WRITES = ("INSERT", "UPDATE", "DELETE", "COPY")


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
    nursery = subprocess.Popen([sys.executable, "-m", "tests.faults"], env=dict(environ), **pipes)
    atexit.register(nursery.communicate)
    return nursery


def _serve() -> None:
    """Fork a victim for each order on stdin, and say how it ended."""
    import importlib

    import django

    from features.ground import late

    django.setup()
    # Or each victim would import for itself what it uses first.
    for library in vars(late).values():
        if isinstance(library, late._Late):
            importlib.import_module(library._name)
    for line in sys.stdin:
        order = pickle.loads(base64.b64decode(line))
        for module in order["modules"]:
            importlib.import_module(module)
        told, tell = os.pipe()
        victim = os.fork()
        if not victim:
            os.close(told)
            _be_victim(order, tell)
        os.close(tell)
        if "folder" in order:
            status, at = _shoot_at_sight(victim, told, order["folder"], order["changes"])
        else:
            (_, status), at = os.waitpid(victim, 0), ""
        with os.fdopen(told) as pipe:
            at += pipe.read()
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) in (signal.SIGKILL, signal.SIGXFSZ):
            print("killed", at, flush=True)
        else:
            print("lived" if status == 0 else f"failed {at}", flush=True)


def _files(folder: str) -> set[str]:
    return {f"{path}/{name}" for path, _, names in os.walk(folder) for name in names}


def _shoot_at_sight(victim: int, told: int, folder: str, changes: int) -> tuple[int, str]:
    """Kill a victim at the n-th change of a folder's files; return how it ended, and its last step.

    It is looked at while it stands still: at each step, and inside a library after each moment.
    """
    before, step = _files(folder), ""
    _, status = os.waitpid(victim, os.WUNTRACED)
    while os.WIFSTOPPED(status):
        if select.select([told], [], [], 0)[0]:
            step = os.read(told, 1000).decode().splitlines()[-1]
        now = _files(folder)
        changes, before = changes - (now != before), now
        if changes == 0:
            os.kill(victim, signal.SIGKILL)
        os.kill(victim, signal.SIGCONT)
        if step.startswith(INSIDE) and changes:
            time.sleep(MOMENT)
            os.kill(victim, signal.SIGSTOP)
        _, status = os.waitpid(victim, os.WUNTRACED)
    return status, step


def _be_victim(order: dict[str, Any], tell: int) -> None:
    from django.utils.module_loading import import_string

    from features.ground.steps import watch_steps

    code = 1
    try:
        settings.VAR_DIR = Path(order["var_dir"])
        act = import_string(order["action"])
        if "n" in order:
            _watch_writes(_Counter(order["n"], tell))
        elif "size" in order:
            watch_steps(_Torn(order["size"], order["inside"]))
        else:
            watch_steps(partial(_stop_at, tell))
        act(**order["arguments"])
        code = 0
    except BaseException as error:  # noqa: BLE001 (whatever it is, the test must hear of it)
        traceback.print_exc()
        os.write(tell, repr(error).replace("\n", " ").encode())
    finally:
        sys.stderr.flush()
        os._exit(code)


class _Counter:
    """Counts writes down, and at the last says which one it is and dies."""

    def __init__(self, n: int, tell: int) -> None:
        self.left, self.tell = n, tell

    def __call__(self, name: str) -> None:
        self.left -= 1
        if self.left == 0:
            os.write(self.tell, name.encode())
            os.kill(os.getpid(), signal.SIGKILL)


def _stop_at(tell: int, step: str) -> None:
    os.write(tell, f"{step}\n".encode())
    os.kill(os.getpid(), signal.SIGSTOP)


class _Torn:
    """Has the process die as soon as a library makes a file larger than a size."""

    def __init__(self, size: int, inside: str) -> None:
        self.size, self.inside = size, inside
        # Python would rather see an error, which cleans up; a process that is killed does not.
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    def __call__(self, step: str) -> None:
        size = self.size if step == self.inside else resource.RLIM_INFINITY
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def _watch_writes(count: _Counter) -> None:
    from django.db.backends.base.base import BaseDatabaseWrapper
    from django.db.backends.signals import connection_created

    from features.ground.steps import watch_steps

    root = str(settings.VAR_DIR)
    logs = str(Path(root, "logs"))

    def ours(path: object) -> bool:
        text = os.fsdecode(path) if isinstance(path, str | bytes | os.PathLike) else ""
        return text.startswith(root) and not text.startswith(logs)

    def heard(event: str, arguments: tuple[Any, ...]) -> None:
        opened = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if (opened or event in CHANGES) and (ours(arguments[0]) or (event in CHANGES and ours(arguments[1]))):
            count(f"{event} {str(arguments[0]).removeprefix(root)}")

    def executed(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.lstrip().upper().startswith(WRITES):
            count(" ".join(sql.split()[:3]))
        return execute(sql, params, many, context)

    def connected(connection: Any, **_: Any) -> None:
        connection.execute_wrappers.append(executed)

    commit = BaseDatabaseWrapper.commit

    def committing(self: BaseDatabaseWrapper) -> None:
        count("commit")
        commit(self)
        count("committed")

    BaseDatabaseWrapper.commit = committing  # type: ignore[method-assign]
    connection_created.connect(connected, weak=False)
    watch_steps(count)
    sys.addaudithook(heard)


if __name__ == "__main__":
    _serve()
