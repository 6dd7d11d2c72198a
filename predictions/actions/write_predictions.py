"""Store logged answers."""

import sqlite3
from collections.abc import Sequence
from datetime import UTC
from functools import lru_cache
from typing import Any

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from django.utils import timezone

from predictions.adapters.patience import hurried, hurry_statements
from predictions.core.log_row import LogRow
from predictions.models import Prediction

# Written without model objects: making them held up the answers for longer than it takes to make an answer.
FIELDS = (*LogRow._fields, "created_at")
MOST_PARAMS = 7_500


def write_predictions(rows: Sequence[LogRow], *, patience_s: float | None = None) -> int:
    """Store a batch of answers in one transaction.

    Parameters
    ----------
    rows : sequence of LogRow
        Answers with the ids they were given when they were made; one that is stored already is left as it is.
    patience_s : float, optional
        How long to wait for others who write; as long as the database is set up for if None.

    Returns
    -------
    int
        How many were handed to the database.
    """
    size = max(1, _most_params() // len(FIELDS))
    with hurried(patience_s), transaction.atomic(durable=True), connection.cursor() as cursor:
        hurry_statements(patience_s)
        start = 0
        while start < len(rows):
            part = rows[start : start + _rows_at_once(len(rows) - start, size)]
            _execute(cursor, _statement(len(part)), _values(part))
            start += len(part)
    return len(rows)


def _rows_at_once(left: int, most: int) -> int:
    """Return how many rows the next statement takes: many, for after each one a thread waits for its turn."""
    if connection.vendor != "sqlite" or left >= most:
        return min(left, most)
    # Powers of two: the few statements there are stay prepared, which costs as much as storing their rows.
    return 1 << (left.bit_length() - 1)


def _execute(cursor: CursorWrapper, statement: str, values: list[Any]) -> None:
    if connection.vendor == "sqlite":
        # Django looks for its own placeholders in the text each time, which takes longer than SQLite for the rows.
        with connection.wrap_database_errors:
            connection.connection.execute(statement, values)
    else:
        cursor.execute(statement, values)


def _most_params() -> int:
    """Return how many parameters a statement may have; Django's own figure is that of a SQLite of 2019."""
    if connection.vendor != "sqlite":
        return MOST_PARAMS
    connection.ensure_connection()
    return min(MOST_PARAMS, int(connection.connection.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER)))


@lru_cache(maxsize=16)
def _statement(rows: int) -> str:
    quote, meta = connection.ops.quote_name, Prediction._meta
    column_of = {field.name: str(field.column) for field in meta.concrete_fields}
    columns = ", ".join(quote(column_of[name]) for name in FIELDS)
    place = "?" if connection.vendor == "sqlite" else "%s"
    places = ", ".join([f"({', '.join([place] * len(FIELDS))})"] * rows)
    # A batch may come again when the answer to its commit was lost.
    return f"INSERT INTO {quote(meta.db_table)} ({columns}) VALUES {places} ON CONFLICT DO NOTHING"  # noqa: S608 (names of our own model)


def _values(rows: Sequence[LogRow]) -> list[Any]:
    """Return the values of rows one after the other, as the database takes them."""
    time_of = connection.ops.adapt_datetimefield_value
    native_ids, now = connection.features.has_native_uuid_field, time_of(timezone.now())
    in_text = connection.vendor == "sqlite"
    values: list[Any] = []
    for row in rows:
        key, at = row.id, row.at
        values.append(key if native_ids else key.hex)
        values += row[1:-2]
        # What Django makes of a time in UTC, without asking it for each row.
        values.append(at.isoformat(" ")[:-6] if in_text and at.tzinfo is UTC else time_of(at))
        values += (row.source, now)
    return values
