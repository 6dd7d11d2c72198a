"""The lock that gives the audit chain one writer at a time."""

from django.db import connection

_LOCK = 7_232_018_801_451_042  # any number nobody else uses as an advisory lock


def hold_chain_lock() -> None:
    """Wait until no other transaction appends to the audit; let go when this one ends."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    # SQLite's transactions begin IMMEDIATE here: the writer already has the database to itself.
