"""A key for each row of a snapshot, the same wherever the row turns up again."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from models_store.core.judged import JudgedRows
from pipeline.core.training import TrainedModel
from pipeline.core.training_columns import Columns


def judged_rows(table: pa.Table, columns: Columns, trained: TrainedModel) -> JudgedRows:
    """Return what a model said of its test rows, each under its key.

    Parameters
    ----------
    table : pyarrow.Table
        The snapshot it was trained on.
    columns : sequence of mapping
        Its columns.
    trained : TrainedModel
        Knows its target, and where its test rows stand.

    Returns
    -------
    JudgedRows
        Of two rows with one key, which chance makes once in a billion tables, only the first.
    """
    judged = trained.judged
    keys, first = np.unique(row_keys(table, columns, trained.params["target"])[judged.rows], return_index=True)
    return JudgedRows(keys=keys, actual=np.asarray(judged.actual, dtype=np.float64)[first], said=judged.said[first])


def row_keys(table: pa.Table, columns: Columns, target: str) -> npt.NDArray[np.uint64]:
    """Return 64 bits for each row, by what it is about and not by where it stands.

    Parameters
    ----------
    table : pyarrow.Table of n_rows rows
        A snapshot.
    columns : sequence of mapping
        Its columns.
    target : str
        The one to predict.

    Returns
    -------
    ndarray of uint64, shape (n_rows,)
        Hashes of entity, time and target where there are both, else of the whole row; and of how many equal rows
        came before, so that no two rows share one but by chance.
    """
    about = [column["name"] for column in columns if column["role"] in ("entity", "timestamp")]
    roles = {column["role"] for column in columns if column["name"] in about}
    names = sorted({*about, target} if len(roles) == 2 else {column["name"] for column in columns})
    # `index=False`: a row number would make the hash one of the place.
    rows = pd.util.hash_pandas_object(_plain(table, names), index=False)
    numbered = pd.DataFrame({"row": rows, "before": rows.groupby(rows).cumcount().astype("int64")})
    return np.asarray(pd.util.hash_pandas_object(numbered, index=False), dtype=np.uint64)


def _plain(table: pa.Table, names: Sequence[str]) -> pd.DataFrame:
    """Return columns whose dtype says nothing: a column of integers is one of floats as soon as a value is missing."""
    return pd.DataFrame({name: _values(table[name]) for name in names}, index=range(table.num_rows))


def _values(column: pa.ChunkedArray) -> Any:
    kind = column.type
    if pa.types.is_timestamp(kind):
        # Nothing is -1 microsecond before 1970: a snapshot's times are of events.
        return pc.fill_null(column.cast(pa.timestamp("us", kind.tz), safe=False).cast(pa.int64()), -1).to_numpy()
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind):
        # Adding zero makes one zero of two.
        return np.asarray(column.cast(pa.float64(), safe=False).to_numpy(), dtype=np.float64) + 0.0
    return np.array(column.cast(pa.string()).fill_null("\x00").to_pylist(), dtype=object)
