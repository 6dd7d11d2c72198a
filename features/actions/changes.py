"""What new rows do to those that are there: they come to them, replace them, or take the place of some by key."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
from deltalake import DeltaTable

from features.adapters.commits import commit, head, open_at
from features.adapters.staging import Staging, staged_rows
from features.adapters.storage import Place
from features.adapters.upsert import table_of, upserting
from features.core.partitions import PARTITION, partition_span, with_partition
from features.core.schema import Column
from features.errors import SchemaError, UpsertKeyError
from features.ground.canonical import digest
from features.ground.errors import bounded
from features.models import Dataset, DatasetVersion

Mode = DatasetVersion.Mode


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """How new rows meet the old ones.

    Parameters
    ----------
    mode : str
        append, replace or upsert.
    key : tuple of str
        Columns that tell which row takes the place of which; empty unless the mode is upsert.
    known_at : str
        Column that tells which of several rows of one key counts; empty where there is none.
    """

    mode: str
    key: tuple[str, ...]
    known_at: str

    def applied(self, dataset: Dataset | None, fingerprint: str) -> tuple[str, DatasetVersion | None]:
        """Name a version made of these bytes in this way, and return it where it is there already.

        Parameters
        ----------
        dataset : Dataset or None
            Where the rows go; None for a new one.
        fingerprint : str
            Digest of the bytes and how they are read.

        Returns
        -------
        tuple of str and DatasetVersion or None
            Appended rows are there already if no replacement came after them. A replacement or an upsert is, if
            nothing at all came after it: what came in between may have changed what it had set.
        """
        if dataset is None:
            return fingerprint, None
        versions = dataset.versions.order_by("-number")
        if self.mode == Mode.APPEND:
            replaced = versions.filter(mode=Mode.REPLACE).first()
            name = digest({"rows": fingerprint, "after": replaced.fingerprint}) if replaced else fingerprint
            return name, versions.filter(fingerprint=name).first()
        newest = [*versions[:2], None, None][:2]
        names = [self._named(fingerprint, version) for version in newest]
        if newest[0] is not None and newest[0].fingerprint == names[1]:
            return names[1], newest[0]
        return names[0], None

    def _named(self, fingerprint: str, on: DatasetVersion | None) -> str:
        key = sorted(self.key)
        return digest({"rows": fingerprint, "mode": self.mode, "key": key, "on": on.fingerprint if on else None})


APPENDED = Change(mode=Mode.APPEND, key=(), known_at="")
"""The change of rows that come to the others."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Written:
    """The table after a change: its version, how it is cut, rows replaced, and rows in all."""

    delta_version: int
    span: str
    rows_replaced: int
    rows_total: int


def agreed_change(mode: str, key: Sequence[str], columns: Sequence[Column]) -> Change:
    """Return how new rows meet the old ones.

    Parameters
    ----------
    mode : str
        append, replace or upsert.
    key : sequence of str
        Columns for an upsert to match by; by default the entity and the timestamp.
    columns : sequence of Column
        Columns of the contract.

    Returns
    -------
    Change

    Raises
    ------
    SchemaError, UpsertKeyError
        If there is no such mode, the key is of no use or not known, or there is none.
    """
    if mode not in Mode.values:
        raise SchemaError(f"mode is one of {', '.join(Mode.values)}; got {bounded(repr(mode))}")
    known_at = next((column.name for column in columns if column.role == "known_at"), "")
    if mode != Mode.UPSERT:
        if key:
            raise UpsertKeyError(f"a key is for the mode upsert; got {bounded(list(key))} with {mode}")
        return Change(mode=mode, key=(), known_at=known_at)
    names = [column.name for column in columns]
    by_role = [column.name for role in ("entity", "timestamp") for column in columns if column.role == role]
    chosen = tuple(dict.fromkeys(key or by_role))
    if not chosen:
        raise UpsertKeyError("upsert needs a key, and the dataset has neither entity nor timestamp; give it with --key")
    if unknown := [name for name in chosen if name not in names]:
        raise UpsertKeyError(
            f"the key names no column: {bounded(unknown)}; there are: {bounded(', '.join(names), 300)}"
        )
    return Change(mode=mode, key=chosen, known_at=known_at)


def write_rows(
    name: str, dataset: Dataset | None, staged: Staging, change: Change, *, about: Mapping[str, str]
) -> Written:
    """Commit staged rows to the dataset's table; whatever a dead writer left of it is undone first.

    Parameters
    ----------
    name : str
        The dataset's name.
    dataset : Dataset or None
        The dataset, if it is there.
    staged : Staging
        The checked rows.
    change : Change
        What they do to those that are there.
    about : mapping of str to str
        Kept with the commit.

    Returns
    -------
    Written
    """
    # What checking the rows took is kept by the allocator; writing them needs as much again.
    pa.default_memory_pool().release_unused()
    table = open_at(name, head(dataset))
    span = _span(dataset, staged) if table is None or dataset is None else dataset.partition_by
    before = _count(table) if table else 0
    if change.mode == Mode.UPSERT and table is not None:
        return _upsert(name, table, span, staged, change, about=about)
    mode = "append" if change.mode == Mode.APPEND else "overwrite"
    with staged_rows(staged.valid_path) as rows:
        cut = _cut(rows, staged.time_column, span)
        version = commit(name, cut, mode=mode, about=about, partitioned=bool(span))  # type: ignore[arg-type]
    replaced = before if change.mode == Mode.REPLACE else 0
    total = before - replaced + staged.rows_valid
    return Written(delta_version=version, span=span, rows_replaced=replaced, rows_total=total)


def rows_to_replace(dataset: Dataset | None, staged: Staging, change: Change) -> int:
    """Return how many rows a change would replace, as the table is now.

    Parameters
    ----------
    dataset : Dataset or None
        The dataset, if it is there.
    staged : Staging
        Rows that were checked and not written.
    change : Change
        What they would do to those that are there.

    Returns
    -------
    int
        Rows of the newest version that would be gone.
    """
    newest = head(dataset)
    if dataset is None or newest is None or change.mode == Mode.APPEND:
        return 0
    where, table = table_of(dataset.name, newest)
    if change.mode == Mode.REPLACE:
        return _count(table)
    with upserting(staged.valid_path, change.key, change.known_at) as batch:
        return batch.plan(where, table, dataset.timestamp_column, dataset.partition_by).rows_replaced


def _span(dataset: Dataset | None, staged: Staging) -> str:
    chosen = partition_span(staged.first_event_at, staged.last_event_at, staged.rows_valid, staged.schema.names)
    return chosen or ""


def _count(table: DeltaTable) -> int:
    return sum(pa.table(table.get_add_actions(flatten=True))["num_records"].to_pylist())


def _upsert(
    name: str, table: DeltaTable, span: str, staged: Staging, change: Change, *, about: Mapping[str, str]
) -> Written:
    where: Place = table_of(name, table.version())[0]
    time_column = staged.time_column or ""
    with upserting(staged.valid_path, change.key, change.known_at) as batch:
        plan = batch.plan(where, table, time_column, span)
        rows = batch.rows(where, table, plan, time_column, span)
        version = commit(name, rows, mode="overwrite", about=about, partitioned=bool(span), parts=plan.parts)
    total = _count(table) - plan.rows_replaced + plan.rows_added
    return Written(delta_version=version, span=span, rows_replaced=plan.rows_replaced, rows_total=total)


def _cut(rows: pa.RecordBatchReader, time_column: str | None, span: str) -> pa.RecordBatchReader:
    if not span or time_column is None:
        return rows
    schema = rows.schema.append(pa.field(PARTITION, pa.string()))

    def cut() -> Iterator[pa.RecordBatch]:
        for batch in rows:
            yield with_partition(batch, time_column, span)

    return pa.RecordBatchReader.from_batches(schema, cut())
