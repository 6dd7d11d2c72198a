"""Feature snapshots as Parquet files, in folders named by their content."""

import os
import shutil
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from features.core.fingerprint import table_digest
from features.errors import SnapshotDamagedError
from features.ground.files import fsync_folder
from features.ground.paths import var_path
from features.models import FeatureSnapshot

FILE = "data.parquet"


def store_rows(table: pa.Table, fingerprint: str) -> str:
    """Write rows below the run-time folder and return where; nothing is written where they are already."""
    folder = var_path("snapshots", fingerprint)
    where = f"snapshots/{fingerprint}/{FILE}"
    if (folder / FILE).is_file():
        return where
    temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".new-"))
    try:
        _write(table, temporary / FILE)
        # An empty folder is what a damaged disk leaves; a new one takes its place.
        temporary.replace(folder)
    except BaseException as error:
        shutil.rmtree(temporary, ignore_errors=True)
        if isinstance(error, OSError) and (folder / FILE).is_file():
            return where  # somebody else wrote the same rows meanwhile
        raise
    fsync_folder(folder.parent)
    return where


def _write(table: pa.Table, path: Path) -> None:
    with path.open("wb") as file:
        pq.write_table(table, file, compression="zstd")
        file.flush()
        os.fsync(file.fileno())
    path.parent.chmod(0o755)
    fsync_folder(path.parent)


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
