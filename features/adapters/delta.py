"""The Delta tables of a dataset: its valid rows, and its quarantine."""

import fcntl
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as pads
from deltalake import CommitProperties, DeltaTable, write_deltalake

from features.ground.paths import var_path
from features.ground.steps import step

REASON = pa.struct([("column", pa.string()), ("rule", pa.string()), ("value", pa.string())])
QUARANTINE = pa.schema(
    [("fingerprint", pa.string()), ("row", pa.int64()), ("raw", pa.string()), ("reasons", pa.list_(REASON))]
)


def table_path(dataset: str) -> Path:
    """Return the folder of a dataset's Delta table."""
    return var_path("datasets", dataset, "table")


def quarantine_path(dataset: str) -> Path:
    """Return the folder of a dataset's quarantine table."""
    return var_path("datasets", dataset, "quarantine")


@contextmanager
def one_writer(dataset: str) -> Iterator[None]:
    """Let one process at a time add to a dataset's tables and rows; the lock dies with its holder."""
    with var_path("datasets", dataset, ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def append(dataset: str, rows: pa.RecordBatchReader, *, after: int | None, about: Mapping[str, str]) -> int:
    """Append rows in one commit and return the table's new version.

    Parameters
    ----------
    dataset : str
        The dataset's name.
    rows : RecordBatchReader
        The rows.
    after : int or None
        The last version that a row of the database names; anything later was left by a writer that died before it
        could say so, and is undone. None: no version counts.
    about : mapping of str to str
        Kept with the commit.
    """
    path = table_path(dataset)
    _rewind(path, after)
    step("commit of the table")
    write_deltalake(str(path), rows, mode="append", commit_properties=CommitProperties(custom_metadata=dict(about)))
    step("table committed")
    return DeltaTable(str(path)).version()


def _rewind(path: Path, after: int | None) -> None:
    if not DeltaTable.is_deltatable(str(path)):
        return
    if after is None:
        shutil.rmtree(path)
        return
    table = DeltaTable(str(path))
    if table.version() != after:
        table.restore(after)


def put_in_quarantine(dataset: str, fingerprint: str, rows: pa.RecordBatchReader) -> None:
    """Store the refused rows of one ingestion in one commit, in the place of any with the same fingerprint."""
    path = str(quarantine_path(dataset))
    step("commit of the quarantine")
    about = CommitProperties(custom_metadata={"fingerprint": fingerprint})
    if DeltaTable.is_deltatable(path):
        predicate = f"fingerprint = '{fingerprint}'"
        write_deltalake(path, rows, mode="overwrite", predicate=predicate, commit_properties=about)
    else:
        write_deltalake(path, rows, partition_by=["fingerprint"], commit_properties=about)


def read_table(dataset: str, version: int, columns: Sequence[str] | None = None) -> pa.Table:
    """Return a dataset's rows at a version of its Delta table, oldest commit first."""
    path = table_path(dataset)
    added = pa.table(DeltaTable(str(path), version=version).get_add_actions(flatten=True))
    files = sorted(zip(added["modification_time"].to_pylist(), added["path"].to_pylist(), strict=True))
    names = [str(path / name) for _, name in files]
    return pads.dataset(names, format="parquet").to_table(columns=list(columns) if columns is not None else None)


def read_quarantine(dataset: str, fingerprint: str) -> list[dict[str, Any]]:
    """Return the refused rows of one ingestion: row, raw and reasons, in the order of the source."""
    path = str(quarantine_path(dataset))
    if not DeltaTable.is_deltatable(path):
        return []
    wanted = pads.field("fingerprint") == fingerprint
    table = DeltaTable(path).to_pyarrow_dataset().to_table(filter=wanted, columns=["row", "raw", "reasons"])
    rows: list[dict[str, Any]] = table.sort_by("row").to_pylist()
    return rows
