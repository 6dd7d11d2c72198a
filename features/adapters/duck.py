"""DuckDB over files of rows, in a database of its own each time, on disk beyond its memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from features.ground.late import duckdb, pads
from features.ground.paths import var_path

MEMORY_LIMIT = "256MB"


@contextmanager
def duck(**tables: object) -> Iterator[duckdb.DuckDBPyConnection]:
    """Give a connection that knows some Arrow tables or data sets by name."""
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": MEMORY_LIMIT,
        "temp_directory": str(var_path("staging", "duckdb")),
        "preserve_insertion_order": False,
    }
    with duckdb.connect(config=config) as connection:
        for name, table in tables.items():
            connection.register(name, table)
        yield connection


def quoted(name: str) -> str:
    """Return a column's name as SQL takes it, whatever it holds."""
    return '"' + name.replace('"', '""') + '"'


def staged(path: Path) -> pads.Dataset:
    """Return a staged file as a data set, read as often as it is asked for."""
    return pads.dataset(str(path), format="ipc")
