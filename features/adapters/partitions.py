"""A view's history for one part of the entities, where that part is: in a worker of Dask or Spark, without Django."""

import pyarrow as pa

from features.adapters.engine_duckdb import open_duckdb
from features.core.part import History

# Rows of one part: enough to be worth a call, few enough for a worker's memory.
PART_ROWS = 2_000_000


def parts_of(history: History) -> int:
    """Return into how many parts the entities are divided."""
    return -(-max(history.rows, 1) // PART_ROWS)


def part_values(history: History, labels: pa.Table, rows: pa.Table) -> pa.Table:
    """Return the features of one part's labels."""
    with open_duckdb({"threads": 1}) as engine:
        return history.values(labels, rows, engine.frame)
