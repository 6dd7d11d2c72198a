"""A dataset version as one file."""

from pathlib import Path

import pyarrow.parquet as pq

from features.adapters.delta import read_table
from features.models import DatasetVersion


def write_dataset(spec: str, path: Path) -> Path:
    """Write the rows of `NAME` or `NAME@N` to a Parquet file, unless a lost attempt left it whole."""
    version = DatasetVersion.objects.resolve(spec)
    if not path.exists():
        part = path.with_suffix(".part")
        pq.write_table(read_table(version.dataset.name, version.delta_version), part)
        part.replace(path)
    return path
