"""Columns of Parquet files as one table."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.dataset as pads


def read_files(files: Sequence[str], columns: Sequence[str]) -> pa.Table:
    """Return some columns of some files, in any order of rows."""
    return pads.dataset(list(files), format="parquet").to_table(columns=list(columns))
