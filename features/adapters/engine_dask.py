"""Dask: this machine's cores, or the cluster whose scheduler `features.dask_scheduler` names."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import dask
import dask.dataframe
import distributed
import narwhals.stable.v2 as nw
import pandas as pd
import pyarrow as pa
from django.conf import settings

from features.errors import EngineMissingError
from features.ground.errors import bounded

WAIT_S = 10
# Within a machine threads do; a shuffle holds its parts in memory.
LOCAL = {"scheduler": "threads", "dataframe.shuffle.method": "tasks"}


class DaskEngine:
    """Frames in parts."""

    name = "dask"

    def frame(self, table: pa.Table) -> nw.LazyFrame[Any]:
        """Return a table of this process as a lazy frame."""
        return nw.from_native(dask.dataframe.from_pandas(_pandas(table), npartitions=1)).lazy()

    def scan(self, files: Sequence[str], columns: Sequence[str]) -> nw.LazyFrame[Any]:
        """Return columns of Parquet files as a lazy frame."""
        return nw.from_native(
            dask.dataframe.read_parquet(list(files), columns=list(columns), dtype_backend="pyarrow")
        ).lazy()


def _pandas(table: pa.Table) -> pd.DataFrame:
    return table.to_pandas(types_mapper=pd.ArrowDtype)


@contextmanager
def open_engine() -> Iterator[DaskEngine]:
    """Give the engine.

    Raises
    ------
    EngineMissingError
        If no scheduler answers at the configured address.
    """
    address = settings.CONFIG.features.dask_scheduler
    with _client(address) if address else nullcontext(), dask.config.set({} if address else LOCAL):
        yield DaskEngine()


def _client(address: str) -> distributed.Client:
    try:
        return distributed.Client(address, timeout=WAIT_S)
    except (OSError, ValueError) as error:
        raise EngineMissingError(
            f"no Dask scheduler answers at features.dask_scheduler, {bounded(address)!r}: {bounded(str(error))}",
            engine="dask",
        ) from error
