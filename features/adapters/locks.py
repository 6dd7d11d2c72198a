"""One writer at a time for a dataset: the processes of a machine, and those of several that share a PostgreSQL."""

import fcntl
import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import connection

from features.errors import DatasetBusyError
from features.ground.paths import var_path

PAUSE_S = 0.05


@contextmanager
def one_writer(dataset: str, *, patience_s: float | None = None) -> Iterator[None]:
    """Let one process at a time add to a dataset's tables and rows; the lock dies with its holder.

    Raises
    ------
    DatasetBusyError
        If others hold it for longer than `patience_s`, by default `features.lock_wait_s`.
    """
    patience = settings.CONFIG.features.lock_wait_s if patience_s is None else patience_s
    locked = _in_database if connection.vendor == "postgresql" else _in_folder
    with locked(dataset, patience):
        yield


@contextmanager
def _in_folder(dataset: str, patience_s: float) -> Iterator[None]:
    with var_path("datasets", dataset, ".lock").open("w") as file:

        def taken() -> bool:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

        _wait(dataset, patience_s, taken)
        yield


@contextmanager
def _in_database(dataset: str, patience_s: float) -> Iterator[None]:
    number = int.from_bytes(hashlib.sha256(f"dataset:{dataset}".encode()).digest()[:8], signed=True)

    def ask(function: str) -> bool:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {function}(%s)", [number])
            return bool(cursor.fetchone()[0])

    _wait(dataset, patience_s, lambda: ask("pg_try_advisory_lock"))
    try:
        yield
    finally:
        # A connection that broke has let go of it already.
        if connection.connection is not None and not connection.connection.closed:
            ask("pg_advisory_unlock")


def _wait(dataset: str, patience_s: float, taken: Callable[[], bool]) -> None:
    end = time.monotonic() + patience_s
    while not taken():
        if time.monotonic() >= end:
            text = (
                f"others have been writing to dataset {dataset!r} for {patience_s:g} s; nothing was written, ask again"
            )
            raise DatasetBusyError(text, dataset=dataset)
        time.sleep(PAUSE_S)
