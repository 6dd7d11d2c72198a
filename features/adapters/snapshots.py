"""Feature snapshots as Parquet files, in folders named by their content."""

import os
import shutil
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from features.adapters.storage import place
from features.core.fingerprint import table_digest
from features.errors import SnapshotDamagedError
from features.ground.files import fsync_folder
from features.ground.paths import var_path
from features.ground.steps import step
from features.models import FeatureSnapshot

FILE = "data.parquet"


def store_rows(table: pa.Table, fingerprint: str) -> str:
    """Write rows where snapshots are kept and return where; nothing is written where they are already."""
    where = f"snapshots/{fingerprint}/{FILE}"
    target = place("snapshots", fingerprint)
    if target.is_local:
        _store(table, Path(target.path))
    elif not target.files():
        with tempfile.TemporaryDirectory(prefix="snapshot-", dir=var_path("staging", "x").parent) as folder:
            _write(table, Path(folder) / FILE)
            step("upload of the snapshot")
            # An object appears whole or not at all.
            target.upload(Path(folder) / FILE, FILE)
    return where


def _store(table: pa.Table, folder: Path) -> None:
    if (folder / FILE).is_file():
        # Whoever looks for what nobody names must see that somebody is about to.
        os.utime(folder / FILE)
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".new-"))
    try:
        _write(table, temporary / FILE)
        # An empty folder is what a damaged disk leaves; a new one takes its place.
        temporary.replace(folder)
    except BaseException as error:
        shutil.rmtree(temporary, ignore_errors=True)
        if isinstance(error, OSError) and (folder / FILE).is_file():
            return  # somebody else wrote the same rows meanwhile
        raise
    fsync_folder(folder.parent)


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
    *folders, file = snapshot.path.split("/")
    where = place(*folders) if snapshot.path else None
    if where is None or not where.has(file):
        raise SnapshotDamagedError(f"snapshot {snapshot.name!r} has no rows on disk", snapshot=snapshot.pk)
    try:
        table = pq.read_table(f"{where.path}/{file}", filesystem=where.filesystem, partitioning=None)
    except (pa.ArrowInvalid, OSError) as error:
        raise SnapshotDamagedError(
            f"snapshot {snapshot.name!r} can't be read: {error}", snapshot=snapshot.pk
        ) from error
    if table_digest(table, snapshot.columns) != snapshot.fingerprint:
        raise SnapshotDamagedError(
            f"snapshot {snapshot.name!r} holds other rows than it was made of", snapshot=snapshot.pk
        )
    return table
