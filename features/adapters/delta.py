"""The Delta tables of a dataset: its valid rows, and its quarantine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from features.adapters.storage import Place, place
from features.errors import VersionPrunedError
from features.ground.late import deltalake, pa, pads, pc
from features.ground.steps import step
from features.models import Dataset, DatasetVersion

TICK = timedelta(milliseconds=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class TableFile:
    """One Parquet file of a version of a dataset's table.

    Parameters
    ----------
    path : str
        A path of this machine, or `s3://bucket/…`.
    rows, size : int
        Rows, and bytes.
    first_event_at, last_event_at : datetime or None
        No row of it happened before or after; None where the dataset has no times.
    """

    path: str
    rows: int
    size: int
    first_event_at: datetime | None
    last_event_at: datetime | None


@cache
def quarantine_schema() -> pa.Schema:
    """Return the columns of a quarantine."""
    reason = pa.struct([("column", pa.string()), ("rule", pa.string()), ("value", pa.string())])
    columns = [("fingerprint", pa.string()), ("row", pa.int64()), ("raw", pa.string()), ("reasons", pa.list_(reason))]
    return pa.schema(columns)


@cache
def keep_log() -> deltalake.PostCommitHookProperties:
    """Return what keeps the log, which tells what each version is made of: `prune` alone decides what is read."""
    return deltalake.PostCommitHookProperties(cleanup_expired_logs=False)


def table_place(dataset: str) -> Place:
    """Return where a dataset's Delta table is."""
    return place("datasets", dataset, "table")


def quarantine_place(dataset: str) -> Place:
    """Return where a dataset's quarantine table is."""
    return place("datasets", dataset, "quarantine")


def put_in_quarantine(dataset: str, fingerprint: str, rows: pa.RecordBatchReader) -> None:
    """Store the refused rows of one ingestion in one commit, in the place of any with the same fingerprint."""
    where = quarantine_place(dataset)
    about = deltalake.CommitProperties(custom_metadata={"fingerprint": fingerprint})
    predicate = f"fingerprint = '{fingerprint}'" if where.is_table() else None
    step("commit of the quarantine")
    with where.reached():
        deltalake.write_deltalake(  # type: ignore[call-overload]  # the overloads know a mode only by its literal
            where.uri,
            _named(rows, fingerprint),
            mode="overwrite" if predicate else "error",
            predicate=predicate,
            partition_by=["fingerprint"],
            storage_options=where.options,
            commit_properties=about,
            post_commithook_properties=keep_log(),
        )
    step("quarantine committed")


def _named(rows: pa.RecordBatchReader, fingerprint: str) -> pa.RecordBatchReader:
    """Name the ingestion the rows belong to; it may have got its name after they were checked."""

    def named() -> Iterator[pa.RecordBatch]:
        for batch in rows:
            name = pa.repeat(pa.scalar(fingerprint, pa.string()), batch.num_rows)
            yield batch.set_column(0, quarantine_schema().field(0), name)

    return pa.RecordBatchReader.from_batches(quarantine_schema(), named())


def table_files(
    dataset: str, version: int, *, since: datetime | None = None, until: datetime | None = None
) -> list[TableFile]:
    """Return the files of a version of a dataset's table, oldest first, those left out that hold no row of a span.

    Parameters
    ----------
    dataset : str
        The dataset's name.
    version : int
        Version of its Delta table.
    since, until : datetime, optional
        Files whose rows all happened before `since`, or at `until` and later, are left out.

    Raises
    ------
    VersionPrunedError
        If the version's files have been removed.
    """
    where, table, time_column = _opened(dataset, version)
    return [file for file in files_of(where, table, time_column) if _may_hold(file, since, until)]


def _opened(dataset: str, version: int) -> tuple[Place, deltalake.DeltaTable, str]:
    """Open a version that can be read; also return where it is, and the name of its timestamp column."""
    named = Dataset.objects.named(dataset)
    # Asked before the table is touched: the library looks for a version that is gone for ever.
    pruned = DatasetVersion.objects.filter(dataset=named, delta_version=version, pruned_at__isnull=False).first()
    if pruned is not None:
        text = f"the rows of {pruned} were removed, or given up as lost, on {pruned.pruned_at:%Y-%m-%d}"
        raise VersionPrunedError(f"{text}; `datasets {dataset}` shows what can be read", dataset=dataset)
    where = table_place(dataset)
    return where, where.table(version), named.timestamp_column


def files_of(where: Place, table: deltalake.DeltaTable, time_column: str) -> list[TableFile]:
    """Return the files of an open table, oldest first."""
    added = pa.table(table.get_add_actions(flatten=True)).to_pylist()
    added.sort(key=lambda one: (one["modification_time"], one["path"]))
    return [
        TableFile(
            path=f"{where.uri}/{one['path']}",
            rows=one["num_records"],
            size=one["size_bytes"],
            first_event_at=one.get(f"min.{time_column}"),
            # The log keeps milliseconds and drops what is below.
            last_event_at=latest + TICK if (latest := one.get(f"max.{time_column}")) else None,
        )
        for one in added
    ]


def _may_hold(file: TableFile, since: datetime | None, until: datetime | None) -> bool:
    too_old = since is not None and file.last_event_at is not None and file.last_event_at < since
    too_new = until is not None and file.first_event_at is not None and file.first_event_at >= until
    return not too_old and not too_new


def parquet(where: Place, table: deltalake.DeltaTable, names: Sequence[str]) -> pads.Dataset:
    """Return files of an open table as one Arrow dataset, without the column it is cut by."""
    cut_by = table.metadata().partition_columns
    own = pa.schema([field for field in pa.schema(table.schema().to_arrow()) if field.name not in cut_by])
    paths = [f"{where.path}/{name}" for name in names]
    return pads.dataset(paths, schema=own, format="parquet", filesystem=where.filesystem)


def open_version(
    dataset: str, version: int, *, since: datetime | None = None, until: datetime | None = None
) -> tuple[deltalake.DeltaTable, pads.Dataset]:
    """Open a version of a dataset's table, and its rows to scan; files outside the span are not part of them."""
    where, table, time_column = _opened(dataset, version)
    files = [file for file in files_of(where, table, time_column) if _may_hold(file, since, until)]
    return table, parquet(where, table, [file.path.removeprefix(f"{where.uri}/") for file in files])


def read_table(
    dataset: str,
    version: int,
    columns: Sequence[str] | None = None,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
) -> pa.Table:
    """Return a dataset's rows at a version of its Delta table, oldest commit first.

    Parameters
    ----------
    dataset : str
        The dataset's name.
    version : int
        Version of its Delta table.
    columns : sequence of str, optional
        Only these, in this order.
    since, until : datetime, optional
        Only rows that happened at `since` or later, and before `until`; the dataset must have a timestamp.
    """
    wanted = None
    if since is not None or until is not None:
        at = pc.field(Dataset.objects.named(dataset).timestamp_column)
        kind = pa.timestamp("us", tz="UTC")
        first = pa.scalar(since or datetime.min.replace(tzinfo=UTC), kind)
        wanted = at >= first if until is None else (at >= first) & (at < pa.scalar(until, kind))
    names = list(columns) if columns is not None else None
    _, rows = open_version(dataset, version, since=since, until=until)
    with table_place(dataset).reached():
        return rows.to_table(columns=names, filter=wanted)


def read_quarantine(dataset: str, fingerprint: str) -> list[dict[str, Any]]:
    """Return the refused rows of one ingestion: row, raw and reasons, in the order of the source."""
    where = quarantine_place(dataset)
    if not where.is_table():
        return []
    files = pa.table(where.table().get_add_actions(flatten=True)).to_pylist()
    paths = [f"{where.path}/{one['path']}" for one in files if one["partition.fingerprint"] == fingerprint]
    if not paths:
        return []
    own = pa.schema([field for field in quarantine_schema() if field.name != "fingerprint"])
    with where.reached():
        found = pads.dataset(paths, schema=own, format="parquet", filesystem=where.filesystem).to_table()
    rows: list[dict[str, Any]] = found.sort_by("row").to_pylist()
    return rows
