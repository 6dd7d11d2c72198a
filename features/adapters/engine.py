"""The engine that computes feature values: the one that is configured."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import narwhals.stable.v2 as nw
import pyarrow as pa
import pyarrow.compute as pc
from django.conf import settings

from features.adapters.delta import read_table
from features.adapters.engine_duckdb import open_duckdb
from features.adapters.extras import open_extra
from features.adapters.sources import source_of
from features.core.history import view_values
from features.core.point_in_time import AT, EVENT, KNOWN
from features.core.windows import ViewDefinition
from features.errors import DefinitionError
from features.ground.paths import var_path
from features.models import DatasetVersion

# Beyond this DuckDB works on disk.
MEMORY_LIMIT = "1GB"
MICROSECONDS = pa.int64()


class Engine(Protocol):
    """What computes: it takes tables and files, and gives lazy frames of them."""

    name: str

    def frame(self, table: pa.Table) -> nw.LazyFrame[Any]:
        """Return a table of this process as a lazy frame."""

    def scan(self, files: Sequence[str], columns: Sequence[str]) -> nw.LazyFrame[Any]:
        """Return columns of Parquet files as a lazy frame."""


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
        limits = {"memory_limit": MEMORY_LIMIT, "temp_directory": str(var_path("staging", "duckdb"))}
        with open_duckdb(limits) as engine:
            yield engine
    else:
        with open_extra(name) as engine:
            yield engine


def read_events(view: ViewDefinition, version: DatasetVersion) -> pa.Table:
    """Return the rows a view aggregates: keys, times in microseconds, columns.

    Rows without a key, without an event time or never known are left out.
    """
    dataset = version.dataset
    known_column = dataset.known_at_column or dataset.timestamp_column
    used = dict.fromkeys(feature.column for feature in view.features if feature.column)
    names = dict.fromkeys([*view.entity, *used, dataset.timestamp_column, known_column])
    rows = read_table(dataset.name, version.delta_version, list(names))
    times = {EVENT: rows[dataset.timestamp_column], KNOWN: rows[known_column]}
    columns = {name: rows[name] for name in dict.fromkeys([*view.entity, *used])}
    table = pa.table({**columns, **{name: column.cast(MICROSECONDS) for name, column in times.items()}})
    keys = [*view.entity, EVENT, KNOWN]
    if not any(table[name].null_count for name in keys):
        return table
    complete = pc.is_valid(table[keys[0]])
    for name in keys[1:]:
        complete = pc.and_(complete, pc.is_valid(table[name]))
    return table.filter(complete)


def values_at(view: ViewDefinition, version: DatasetVersion, labels: pa.Table, at: pa.ChunkedArray) -> pa.Table:
    """Return a view's features for labels, each as of its own time.

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
    dtypes = version.dataset.dtypes()
    source = source_of(view, version)
    events = read_events(view, version)
    for name in view.entity:
        if name not in labels.column_names or labels[name].type != events[name].type:
            wanted = f"{events[name].type} column {name!r}"
            raise DefinitionError(f"view {view.name!r} asks for a {wanted} in the labels; got {labels.column_names}")
    asked = labels.select(view.entity).append_column(AT, at.cast(MICROSECONDS))
    with open_engine() as engine:
        return view_values(view, asked, events, dtypes, engine.frame, spans=source.spans, rows=source.rows)
