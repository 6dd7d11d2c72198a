"""The process that `tests.faults` has started: it forks a victim for each order, which acts until it is to die."""

import base64
import importlib
import os
import pickle
import resource
import select
import signal
import sys
import time
import traceback
from functools import partial
from pathlib import Path
from typing import Any

import django
from django.conf import settings

# How the steps are called after which a library writes.
INSIDE = ("commit of", "removal", "undoing")
MOMENT = 0.0002
CHANGES = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate"}
WRITES = ("INSERT", "UPDATE", "DELETE", "COPY")


def serve() -> None:
    """Fork a victim for each order on stdin, and say how it ended."""
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
    serve()
