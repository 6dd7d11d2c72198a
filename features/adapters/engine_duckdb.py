"""DuckDB, in a database of its own for each computation."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import duckdb
import narwhals.stable.v2 as nw
import pyarrow as pa
import pyarrow.dataset as pads

from features.adapters.parquet_scans import local_files
from features.core.part import History

Settings = dict[str, str | bool | int | float | list[str]]


class DuckDBEngine:
    """One connection."""

    name = "duckdb"

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection

    def frame(self, table: pa.Table) -> nw.LazyFrame[Any]:
        """Return a table of this process as a lazy frame."""
        return nw.from_native(self.connection.from_arrow(table)).lazy()

    def scan(self, data: pads.Dataset, columns: Sequence[str]) -> nw.LazyFrame[Any]:
        """Return columns of Parquet files as a lazy frame."""
        files = local_files(data)
        if files is None:
            rows = self.connection.from_arrow(data)
        else:
            rows = self.connection.read_parquet(files, hive_partitioning=False, union_by_name=len(files) > 1)
        return nw.from_native(rows).lazy().select(*columns)

    def history(self, history: History, labels: pa.Table, data: pads.Dataset) -> pa.Table:
        """Compute everything in this process."""
        return history.values(labels, data.to_table(columns=history.columns), self.frame)


@contextmanager
def open_duckdb(settings: Settings) -> Iterator[DuckDBEngine]:
    """Give an engine with some settings of the database."""
    with duckdb.connect(config={"preserve_insertion_order": False, **settings}) as connection:
        yield DuckDBEngine(connection)
