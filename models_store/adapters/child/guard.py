"""What the child may not do, enforced by an audit hook that nothing can take out again."""

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

from models_store.core.allowed import is_allowed

# Reading a folder's names is how Python finds a module; libraries set variables for their own threads.
_FREE = {"os.listdir", "os.scandir", "os.putenv", "os.unsetenv"}
_PROJECT = Path(__file__).resolve().parents[3]
_SYSTEM = ("/usr/share/zoneinfo/", "/proc/cpuinfo", "/sys/devices/system/cpu/")
_CLOSED = (
    "os.",
    "shutil.",
    "socket.",
    "subprocess.",
    "pty.",
    "urllib.",
    "http.",
    "ftplib.",
    "smtplib.",
    "poplib.",
    "imaplib.",
    "telnetlib.",
    "webbrowser.",
    "ctypes.",
    "code.",
    "sqlite3.",
    "syslog.",
    "signal.",
    "resource.",
    "fcntl.",
)


class RefusedError(BaseException):
    """The model file tried something a model has no need of; not an Exception, so that nothing swallows it."""


class _Guard:
    def __init__(self, folder: Path, *, own_code: bool, any_name: bool) -> None:
        self.folder = f"{folder.resolve()}/"
        readable = {sys.prefix, sys.base_prefix, *((str(_PROJECT),) if own_code else ())}
        self.readable = (self.folder, *(f"{Path(path).resolve()}/" for path in readable), *_SYSTEM)
        self.any_name = any_name

    def __call__(self, event: str, args: tuple[Any, ...]) -> None:
        if event == "pickle.find_class" and not self.any_name:
            self._check_name(*args)
        elif event == "open":
            self._check_open(*args)
        elif event.startswith(_CLOSED) and event not in _FREE:
            raise RefusedError(f"opening the file called {event}, which a model has no need of")

    def _check_name(self, module: str, name: str) -> None:
        found = getattr(sys.modules.get(module), name, None)
        if not is_allowed(module, name, is_class=isinstance(found, type | np.ufunc)):
            raise RefusedError(f"the file asks for {module}.{name}, which is outside the allow list")

    def _check_open(self, path: Any, mode: Any, flags: Any) -> None:
        if isinstance(path, int):
            return
        text = str(Path(path.decode() if isinstance(path, bytes) else str(path)).resolve())
        writes = bool((flags or 0) & (os.O_WRONLY | os.O_RDWR))
        if not text.startswith((self.folder,) if writes else self.readable):
            raise RefusedError(f"opening the file {'wrote to' if writes else 'read'} {path}")


_guards: list[_Guard] = []


def close(folder: Path, *, own_code: bool, any_name: bool) -> None:
    """Forbid the network, other programs and other files; and names outside the allow list, unless any is free."""
    guard = _Guard(folder, own_code=own_code, any_name=any_name)
    _guards.append(guard)
    sys.addaudithook(guard)


def opened() -> None:
    """Let libraries use pickle among themselves again: nothing of the file is left to be opened."""
    for guard in _guards:
        guard.any_name = True
