"""Polars, in this process."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import narwhals.stable.v2 as nw
import polars
import pyarrow as pa
import pyarrow.dataset as pads

from features.adapters.parquet_scans import local_files
from features.core.part import History


class PolarsEngine:
    """Lazy frames of this process."""

    name = "polars"

    def frame(self, table: pa.Table) -> nw.LazyFrame[Any]:
        """Return a table of this process as a lazy frame."""
        return nw.from_native(polars.DataFrame(table)).lazy()

    def scan(self, data: pads.Dataset, columns: Sequence[str]) -> nw.LazyFrame[Any]:
        """Return columns of Parquet files as a lazy frame."""
        files = local_files(data)
        if files is None:
            rows = polars.scan_pyarrow_dataset(data)
        else:
            rows = polars.scan_parquet(files, hive_partitioning=False, missing_columns="insert", extra_columns="ignore")
        return nw.from_native(rows).select(*columns)

    def history(self, history: History, labels: pa.Table, data: pads.Dataset) -> pa.Table:
        """Compute everything in this process."""
        return history.values(labels, data.to_table(columns=history.columns), self.frame)


@contextmanager
def open_engine() -> Iterator[PolarsEngine]:
    """Give the engine."""
    yield PolarsEngine()
