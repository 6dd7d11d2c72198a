"""Bytes packed as people pack them."""

import zipfile
from pathlib import Path

import pyarrow as pa


def zstd(body: bytes) -> bytes:
    """Pack with Zstandard."""
    out = pa.BufferOutputStream()
    with pa.CompressedOutputStream(out, "zstd") as packed:
        packed.write(body)
    return out.getvalue().to_pybytes()


def zipped(path: Path, **members: bytes) -> Path:
    """Write an archive; `a__csv` is the member a.csv."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in members.items():
            archive.writestr(name.replace("__", "."), body)
    return path
