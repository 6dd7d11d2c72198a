"""Waiting for the database no longer than one can afford."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection


@contextmanager
def hurried(seconds: float | None) -> Iterator[None]:
    """Give up a transaction begun inside when SQLite's other writers hold on for longer than this."""
    if seconds is None or connection.vendor != "sqlite":
        yield
        return
    with connection.cursor() as cursor:
        before = cursor.execute("PRAGMA busy_timeout").fetchone()[0]
        cursor.execute(f"PRAGMA busy_timeout = {round(seconds * 1000)}")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"PRAGMA busy_timeout = {before}")


def hurry_statements(seconds: float | None) -> None:
    """Give up a statement of the open PostgreSQL transaction that waits or works for longer than this."""
    if seconds is not None and connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            for name in ("lock_timeout", "statement_timeout"):
                cursor.execute(f"SET LOCAL {name} = {round(seconds * 1000)}")
