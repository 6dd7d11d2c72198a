"""A dataset's rows as a data set that is read batch by batch."""

import pyarrow.dataset as pads
from deltalake import DeltaTable

from features.adapters.delta import quarantine_path, table_path


def stored_rows(dataset: str, version: int) -> pads.Dataset:
    """Return the rows at a version of a dataset's Delta table."""
    return DeltaTable(str(table_path(dataset)), version=version).to_pyarrow_dataset()


def refused_rows(dataset: str) -> pads.Dataset | None:
    """Return a dataset's quarantine, or None where nothing was ever refused."""
    path = str(quarantine_path(dataset))
    return DeltaTable(path).to_pyarrow_dataset() if DeltaTable.is_deltatable(path) else None
