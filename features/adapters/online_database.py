"""Online values in the project's own database."""

import json
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import psycopg
from django.db import connection, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from features.adapters.online_store import Found, Generation
from features.ground.steps import step
from features.models import FeatureSnapshot, FeatureView, OnlineFeature

# What one statement copies: nobody else waits long for the database.
CARRIED_ROWS = 50_000
VIEW, SNAPSHOT, ONLINE = (model._meta.db_table for model in (FeatureView, FeatureSnapshot, OnlineFeature))
# Pointer and values in one statement, which sees one state of the database. No value: one row with a null key.
READ = f"""
SELECT v.id, v.live_snapshot_id, s.fingerprint, o.entity_key, o.packed FROM {VIEW} v
JOIN {SNAPSHOT} s ON s.id = v.live_snapshot_id
LEFT JOIN {ONLINE} o ON o.snapshot_id = v.live_snapshot_id AND o.entity_key {{keys}}
WHERE v.name = ? AND v.version = {{number}}
"""  # noqa: S608 (names of our own tables)
NEWEST = f"(SELECT max(version) FROM {VIEW} WHERE name = ?)"  # noqa: S608 (the same)
COLUMNS = f"{ONLINE} (snapshot_id, entity_key, packed)"
INSERT = f"INSERT INTO {COLUMNS} VALUES (%s, %s, %s)"  # noqa: S608 (the same)
COPY = f"COPY {COLUMNS} FROM STDIN (FORMAT BINARY)"
CARRY = f"INSERT INTO {COLUMNS} SELECT %s, entity_key, packed FROM {ONLINE} WHERE "  # noqa: S608 (the same)
MANY = {"sqlite": "IN (SELECT value FROM json_each(?))", "postgresql": "= ANY(?)"}
# A list of any length is one parameter.
BUT = {
    "sqlite": "entity_key NOT IN (SELECT value FROM json_each(%s))",
    "postgresql": "NOT EXISTS (SELECT 1 FROM unnest(%s::text[]) AS but (k) WHERE but.k = entity_key)",
}


class DatabaseStore:
    """Rows of the table of online features; the pointer is the view's column."""

    name = "database"

    def read(self, view: str, number: int | None, keys: Sequence[str]) -> Found | None:
        """Read on the driver's own cursor: between the question and its answer stands nothing."""
        database = connections["default"]
        database.ensure_connection()
        one = len(keys) == 1
        asked: Any = keys[0] if one else list(keys)
        given = [asked, view, view if number is None else number]
        with database.wrap_database_errors:
            rows = (_read_postgresql if database.vendor == "postgresql" else _read_sqlite)(database, one, number, given)
        if not rows:
            return None
        packed = {row[3]: row[4] for row in rows if row[3] is not None}
        return Found(Generation(*rows[0][:3]), packed)

    def live(self, view: int) -> int | None:
        """Return the snapshot a view serves, if its values are rows here."""
        snapshot = FeatureSnapshot.objects.filter(live_in=view).first()
        return snapshot.pk if snapshot and snapshot.watermark.get("store") == self.name else None

    def writing(self) -> AbstractContextManager[object]:
        """Return a transaction."""
        return transaction.atomic(durable=True)

    def carry(self, source: Generation, target: Generation, but: Sequence[str], after: str | None) -> str | None:
        """Copy some rows where they are."""
        rows = OnlineFeature.objects.filter(snapshot=source.snapshot)
        part = rows if after is None else rows.filter(entity_key__gt=after)
        ends = part.order_by("entity_key").values_list("entity_key", flat=True)[CARRIED_ROWS - 1 : CARRIED_ROWS].first()
        left_out: Any = list(but) if connection.vendor == "postgresql" else json.dumps(list(but))
        bounds = {"entity_key > %s": after, "entity_key <= %s": ends}
        bounds = {text: key for text, key in bounds.items() if key is not None}
        where = " AND ".join(["snapshot_id = %s", *bounds, BUT[connection.vendor]])
        with connection.cursor() as cursor:
            cursor.execute(CARRY + where, [target.snapshot, source.snapshot, *bounds.values(), left_out])
        return ends

    def put(self, target: Generation, keys: Sequence[str], packed: Sequence[bytes]) -> None:
        """Add rows: by COPY where the database has it."""
        rows = [(target.snapshot, key, value) for key, value in zip(keys, packed, strict=True)]
        with connection.cursor() as cursor:
            if connection.vendor != "postgresql":
                cursor.executemany(INSERT, rows)
                return
            step("copy into the online store")
            with cursor.cursor.copy(COPY) as copy:
                copy.set_types(["int8", "varchar", "bytea"])
                for row in rows:
                    copy.write_row(row)

    def count(self, generation: Generation) -> int:
        """Return how many rows a snapshot has."""
        return OnlineFeature.objects.filter(snapshot=generation.snapshot).count()

    def some_keys(self, generation: Generation, count: int) -> list[str]:
        """Return the keys that were put first."""
        rows = OnlineFeature.objects.filter(snapshot=generation.snapshot).order_by("pk")
        return list(rows.values_list("entity_key", flat=True)[:count])

    def publish(self, view: int) -> None:
        """Do nothing: the database's pointer is what readers follow."""


def _question(vendor: str, one: bool, number: int | None) -> str:
    return READ.format(keys="= ?" if one else MANY[vendor], number=NEWEST if number is None else "?")


def _read_sqlite(database: BaseDatabaseWrapper, one: bool, number: int | None, given: list[Any]) -> list[Any]:
    asked = given if one else [json.dumps(given[0]), *given[1:]]
    found: list[Any] = database.connection.execute(_SQLITE[one, number is None], asked).fetchall()
    return found


def _read_postgresql(database: BaseDatabaseWrapper, one: bool, number: int | None, given: list[Any]) -> list[Any]:
    # The driver's plain cursor binds on the server and can keep the statement prepared; Django's does neither.
    cursor = psycopg.Cursor(database.connection)
    cursor.format = psycopg.pq.Format.BINARY
    return cursor.execute(_POSTGRESQL[one, number is None], given, prepare=True).fetchall()


_CASES = [(one, newest) for one in (True, False) for newest in (True, False)]
_SQLITE = {case: _question("sqlite", case[0], None if case[1] else 1) for case in _CASES}
_POSTGRESQL = {case: _question("postgresql", case[0], None if case[1] else 1).replace("?", "%s") for case in _CASES}
