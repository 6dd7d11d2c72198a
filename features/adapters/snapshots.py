"""Feature snapshots as Parquet files, in folders named by their content."""

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from features.core.fingerprint import table_digest
from features.errors import SnapshotDamagedError
from features.ground.files import fsync_folder
from features.ground.paths import var_path
from features.ground.steps import step
from features.models import FeatureSnapshot

FILE = "data.parquet"
READ_ONLY = 0o444


def snapshot_path(fingerprint: str) -> str:
    """Return where the rows of this name lie, below the run-time folder."""
    return f"snapshots/{fingerprint}/{FILE}"


def store_rows(table: pa.Table, fingerprint: str, columns: Sequence[dict[str, Any]]) -> str:
    """Write rows below the run-time folder, read-only, and return where.

    Nothing is written where they are already; a file of that name that holds anything else is replaced.
    """
    folder = var_path("snapshots", fingerprint)
    where = snapshot_path(fingerprint)
    if _holds(folder / FILE, fingerprint, columns):
        return where
    temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".new-"))
    try:
        _write(table, temporary / FILE)
        _move(temporary, folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    fsync_folder(folder.parent)
    return where


def _write(table: pa.Table, path: Path) -> None:
    with path.open("wb") as file:
        pq.write_table(table, file, compression="zstd")
        step("end of the rows")
        file.flush()
        os.fsync(file.fileno())
    path.chmod(READ_ONLY)
    path.parent.chmod(0o755)
    fsync_folder(path.parent)


def _move(temporary: Path, folder: Path) -> None:
    """Give the new folder its name; where a damaged one has it, or somebody else was faster, only the file moves."""
    try:
        temporary.replace(folder)
    except OSError:
        (temporary / FILE).replace(folder / FILE)
        fsync_folder(folder)
        temporary.rmdir()


def _holds(path: Path, fingerprint: str, columns: Sequence[dict[str, Any]]) -> bool:
    try:
        return table_digest(pq.read_table(path), columns) == fingerprint
    except (pa.ArrowException, OSError):
        return False


def is_intact(snapshot: FeatureSnapshot) -> bool:
    """Tell whether a training snapshot's rows are there, and those its fingerprint names."""
    try:
        read_snapshot(snapshot)
    except SnapshotDamagedError:
        return False
    return True


def read_snapshot(snapshot: FeatureSnapshot) -> pa.Table:
    """Return a training snapshot's rows, proven to be those its fingerprint names.

    Raises
    ------
    SnapshotDamagedError
        If the file is gone, can't be read, or holds other rows.
    """
    path = var_path(*snapshot.path.split("/")) if snapshot.path else None
    if path is None or not path.is_file():
        raise SnapshotDamagedError(f"snapshot {snapshot.name!r} has no rows on disk", snapshot=snapshot.pk)
    try:
        table = pq.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise SnapshotDamagedError(
            f"snapshot {snapshot.name!r} can't be read: {error}", snapshot=snapshot.pk
        ) from error
    if table_digest(table, snapshot.columns) != snapshot.fingerprint:
        raise SnapshotDamagedError(
            f"snapshot {snapshot.name!r} holds other rows than it was made of", snapshot=snapshot.pk
        )
    return table
