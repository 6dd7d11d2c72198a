"""Dask: this machine's cores, or the cluster whose scheduler `features.dask_scheduler` names."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import dask
import dask.dataframe
import distributed
import narwhals.stable.v2 as nw
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as pads
from django.conf import settings

from features.adapters.partitions import part_values, parts_of
from features.core.part import History
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
        return _lazy(dask.dataframe.from_pandas(_pandas(table), npartitions=1))

    def scan(self, data: pads.Dataset, columns: Sequence[str]) -> nw.LazyFrame[Any]:
        """Return columns of Parquet files as a lazy frame."""
        return _lazy(_read(data, columns))

    def history(self, history: History, labels: pa.Table, data: pads.Dataset) -> pa.Table:
        """Bring labels and rows of an entity together in one part, and compute it there."""
        entity, parts = list(history.view.entity), parts_of(history)
        rows = _read(data, history.columns)
        asked = dask.dataframe.from_pandas(_pandas(labels), npartitions=1)
        # Of rows without a key none counts; labels without one go where they like.
        both = [frame.shuffle(on=entity, npartitions=parts) for frame in (asked, rows.dropna(subset=entity))]
        meta = _pandas(history.schema.empty_table())
        found = dask.dataframe.map_partitions(_part, *both, history, meta=meta, align_dataframes=False)
        return pa.Table.from_pandas(found.compute(), schema=history.schema, preserve_index=False)


def _read(data: pads.Dataset, columns: Sequence[str]) -> dask.dataframe.DataFrame:
    # Its own file system goes with the files: a folder's, or a bucket's.
    files = list(data.files)
    rows: dask.dataframe.DataFrame = dask.dataframe.read_parquet(
        files, columns=list(columns), dtype_backend="pyarrow", filesystem=data.filesystem
    )
    # Dask believes the columns to be of NumPy's types, and would not join them with Arrow's.
    meta = _pandas(pa.schema([data.schema.field(name) for name in columns]).empty_table())
    typed: dask.dataframe.DataFrame = rows.map_partitions(_typed, meta, meta=meta)
    return typed


def _typed(rows: pd.DataFrame, like: pd.DataFrame) -> pd.DataFrame:
    return rows.astype(like.dtypes)


def _part(labels: pd.DataFrame, rows: pd.DataFrame, history: History) -> pd.DataFrame:
    tables = (pa.Table.from_pandas(frame, preserve_index=False) for frame in (labels, rows))
    return _pandas(part_values(history, *tables))


def _lazy(frame: dask.dataframe.DataFrame) -> nw.LazyFrame[Any]:
    with warnings.catch_warnings():
        # A later narwhals will want a package of its own for Dask; the one that is pinned does not.
        warnings.simplefilter("ignore", FutureWarning)
        return nw.from_native(frame).lazy()


def _pandas(table: pa.Table) -> pd.DataFrame:
    frame: pd.DataFrame = table.to_pandas(types_mapper=pd.ArrowDtype)
    return frame


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
