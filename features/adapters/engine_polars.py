"""Polars, in this process."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import narwhals.stable.v2 as nw
import polars
import pyarrow as pa

from features.adapters.parquet_tables import read_files
from features.core.part import History


class PolarsEngine:
    """Lazy frames of this process."""

    name = "polars"

    def frame(self, table: pa.Table) -> nw.LazyFrame[Any]:
        """Return a table of this process as a lazy frame."""
        return nw.from_native(polars.DataFrame(table)).lazy()

    def scan(self, files: Sequence[str], columns: Sequence[str]) -> nw.LazyFrame[Any]:
        """Return columns of Parquet files as a lazy frame."""
        rows = polars.scan_parquet(
            list(files), hive_partitioning=False, missing_columns="insert", extra_columns="ignore"
        )
        return nw.from_native(rows).select(*columns)

    def history(self, history: History, labels: pa.Table, files: Sequence[str]) -> pa.Table:
        """Compute everything in this process."""
        return history.values(labels, read_files(files, history.columns), self.frame)


@contextmanager
def open_engine() -> Iterator[PolarsEngine]:
    """Give the engine."""
    yield PolarsEngine()
