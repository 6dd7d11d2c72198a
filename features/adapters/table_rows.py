"""A dataset's rows as a data set that is read batch by batch."""

from __future__ import annotations

from features.adapters.delta import open_version, quarantine_place
from features.ground.late import pads


def stored_rows(dataset: str, version: int) -> pads.Dataset:
    """Return the rows at a version of a dataset's Delta table."""
    return open_version(dataset, version)[1]


def refused_rows(dataset: str) -> pads.Dataset | None:
    """Return a dataset's quarantine, or None where nothing was ever refused."""
    where = quarantine_place(dataset)
    return where.table().to_pyarrow_dataset() if where.is_table() else None
