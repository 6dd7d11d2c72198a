"""Feature snapshots as Parquet files, in folders named by their content."""

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from features.adapters.storage import Place, place
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
    """Write rows where snapshots are kept, read-only, and return where.

    Nothing is written where they are already; a file of that name that holds anything else is replaced.
    """
    target = place("snapshots", fingerprint)
    if _holds(target, fingerprint, columns):
        _touch(target)
    elif target.is_local:
        _store(table, Path(target.path))
    else:
        with tempfile.TemporaryDirectory(prefix="snapshot-", dir=var_path("staging", "x").parent) as folder:
            _write(table, Path(folder) / FILE)
            step("upload of the snapshot")
            # An object appears whole or not at all.
            target.upload(Path(folder) / FILE, FILE)
    return snapshot_path(fingerprint)


def _touch(target: Place) -> None:
    if target.is_local:
        # Whoever looks for what nobody names must see that somebody is about to.
        os.utime(Path(target.path) / FILE)


def _store(table: pa.Table, folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".new-"))
    try:
        _write(table, temporary / FILE)
        _move(temporary, folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    fsync_folder(folder.parent)


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


def _holds(where: Place, fingerprint: str, columns: Sequence[dict[str, Any]]) -> bool:
    try:
        return where.has(FILE) and table_digest(_read(where, FILE), columns) == fingerprint
    except (pa.ArrowException, OSError):
        return False


def _read(where: Place, file: str) -> pa.Table:
    with where.reached():
        return pq.read_table(f"{where.path}/{file}", filesystem=where.filesystem, partitioning=None)


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
    *folders, file = snapshot.path.split("/")
    where = place(*folders) if snapshot.path else None
    if where is None or not where.has(file):
        raise SnapshotDamagedError(f"snapshot {snapshot.name!r} has no rows on disk", snapshot=snapshot.pk)
    try:
        table = _read(where, file)
    except (pa.ArrowInvalid, OSError) as error:
        raise SnapshotDamagedError(
            f"snapshot {snapshot.name!r} can't be read: {error}", snapshot=snapshot.pk
        ) from error
    if table_digest(table, snapshot.columns) != snapshot.fingerprint:
        raise SnapshotDamagedError(
            f"snapshot {snapshot.name!r} holds other rows than it was made of", snapshot=snapshot.pk
        )
    return table
