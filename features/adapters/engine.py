"""The engine that computes feature values: the one that is configured."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import narwhals.stable.v2 as nw
import numpy as np
import pyarrow as pa
import pyarrow.dataset as pads
from django.conf import settings

from features.adapters.engine_duckdb import Settings, open_duckdb
from features.adapters.extras import open_extra
from features.adapters.sources import Source, source_of
from features.core.part import MICROSECONDS, ROW, History
from features.core.point_in_time import AT
from features.core.schema import ARROW_TYPES
from features.core.windows import ViewDefinition
from features.errors import DefinitionError
from features.ground.paths import var_path
from features.models import DatasetVersion

# Beyond this DuckDB works on disk.
MEMORY_LIMIT = "1GB"


class Engine(Protocol):
    """What computes: it takes tables and files, and gives lazy frames of them."""

    name: str

    def frame(self, table: pa.Table) -> nw.LazyFrame[Any]:
        """Return a table of this process as a lazy frame."""

    def scan(self, data: pads.Dataset, columns: Sequence[str]) -> nw.LazyFrame[Any]:
        """Return columns of Parquet files as a lazy frame."""

    def history(self, history: History, labels: pa.Table, data: pads.Dataset) -> pa.Table:
        """Return the features of labels as of their own times, in any order."""


@contextmanager
def open_engine() -> Iterator[Engine]:
    """Give the engine `features.engine` names.

    Raises
    ------
    EngineMissingError
        If its extra, its JDK or its cluster isn't there.
    """
    name = settings.CONFIG.features.engine
    if name == "duckdb":
        limits: Settings = {"memory_limit": MEMORY_LIMIT, "temp_directory": str(var_path("staging", "duckdb"))}
        with open_duckdb(limits) as engine:
            yield engine
    else:
        with open_extra(name) as engine:
            yield engine


def history_of(view: ViewDefinition, version: DatasetVersion, source: Source) -> History:
    """Return what is asked of a version's rows."""
    dataset = version.dataset
    return History(
        view=view,
        dtypes=dataset.dtypes(),
        timestamp=dataset.timestamp_column,
        known_at=dataset.known_at_column or dataset.timestamp_column,
        spans=source.spans,
        rows=source.rows,
    )


def read_events(view: ViewDefinition, version: DatasetVersion) -> pa.Table:
    """Return the rows a view aggregates: keys, times in microseconds, columns.

    Rows without a key, without an event time or never known are left out.
    """
    source = source_of(view, version)
    history = history_of(view, version, source)
    return history.events(source.data.to_table(columns=history.columns))


def values_at(view: ViewDefinition, version: DatasetVersion, labels: pa.Table, at: pa.ChunkedArray) -> pa.Table:
    """Return a view's features for labels, each as of its own time, in the order of the labels.

    Parameters
    ----------
    view : ViewDefinition
        What to compute.
    version : DatasetVersion
        The rows to compute it from.
    labels : pyarrow.Table
        Holds the entity columns.
    at : pyarrow.ChunkedArray
        Asking time of each label, a timestamp.
    """
    source = source_of(view, version)
    history = history_of(view, version, source)
    for name in view.entity:
        kind = ARROW_TYPES[history.dtypes[name]]
        if name not in labels.column_names or labels[name].type != kind:
            wanted = f"{kind} column {name!r}"
            raise DefinitionError(f"view {view.name!r} asks for a {wanted} in the labels; got {labels.column_names}")
    asked = labels.select(view.entity).append_column(AT, at.cast(MICROSECONDS))
    asked = asked.append_column(ROW, pa.array(np.arange(labels.num_rows)))
    with open_engine() as engine:
        found = engine.history(history, asked, source.data)
    rows = found[ROW].to_numpy()
    if not np.array_equal(rows, np.arange(len(rows))):
        found = found.take(pa.array(np.argsort(rows)))
    return found.drop_columns([ROW])
