"""Parquet files as engines take them."""

import pyarrow.dataset as pads
from pyarrow import fs


def local_files(data: pads.Dataset) -> list[str] | None:
    """Return the paths of a dataset's files, or None where they are not on this machine."""
    local = isinstance(data.filesystem, fs.LocalFileSystem)
    return [str(file) for file in data.files] if local else None
