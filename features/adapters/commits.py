"""Versions of a dataset's Delta table: the newest that counts, what comes after it, and the next one."""

from collections.abc import Mapping, Sequence
from typing import Literal

import pyarrow as pa
from deltalake import ColumnProperties, CommitProperties, DeltaTable, WriterProperties, write_deltalake

from features.adapters.delta import keep_log, table_place
from features.core.partitions import PARTITION
from features.errors import TableLostError
from features.ground.steps import step
from features.models import Dataset

# Each part that is open holds this much in memory at most; compaction makes larger files of the small ones. Parts that
# are written anew are all open to the end, and share a room.
FILE_BYTES, FEWEST_BYTES, OPEN_BYTES = 16 << 20, 1 << 20, 128 << 20
ROW_GROUP = 65_536
LOST = "bring its files back from a backup, or have `doctor --mend` give the lost versions up"


def head(dataset: Dataset | None) -> int | None:
    """Return the newest accounted version of a dataset's table; None where there is none."""
    if dataset is None or dataset.delta_head is not None:
        return dataset.delta_head if dataset else None
    # From before heads were kept.
    newest = dataset.versions.filter(pruned_at__isnull=True).order_by("-number").first()
    return newest.delta_version if newest else None


def open_at(dataset: str, after: int | None) -> DeltaTable | None:
    """Open a dataset's table as the last accounted version left it.

    Anything later was left by a writer that died before it could say so, and is undone. None: no version counts, and
    none is left.

    Raises
    ------
    TableLostError
        If the table has no such version.
    """
    where = table_place(dataset)
    if not where.is_table():
        if after is not None:
            raise TableLostError(f"the table of {dataset!r} is gone: {LOST}", dataset=dataset)
        return None
    if after is None:
        step("removal of a table nobody names")
        where.remove_all()
        return None
    table = where.table()
    if table.version() < after:
        text = f"the table of {dataset!r} ends at version {table.version()}, and {after} is recorded: {LOST}"
        raise TableLostError(text, dataset=dataset)
    if table.version() > after:
        step("undoing of a version nobody names")
        with where.reached():
            table.restore(after, post_commithook_properties=keep_log())
        table = where.table()
    return table


def commit(
    dataset: str,
    rows: pa.RecordBatchReader,
    *,
    mode: Literal["append", "overwrite"],
    about: Mapping[str, str],
    partitioned: bool,
    parts: Sequence[str] | None = None,
) -> int:
    """Write rows in one commit and return the table's new version.

    Parameters
    ----------
    dataset : str
        The dataset's name.
    rows : RecordBatchReader
        The rows.
    mode : str
        append, or overwrite.
    about : mapping of str to str
        Kept with the commit.
    partitioned : bool
        Whether the table is cut by the rows' `__date` column.
    parts : sequence of str, optional
        Overwrite these parts alone, which must hold all the rows.
    """
    where = table_place(dataset)
    step("commit of the table")
    with where.reached():
        write_deltalake(
            where.uri,
            rows,
            mode=mode,  # type: ignore[arg-type]  # the overloads know a mode only by its literal
            predicate=None if parts is None else _one_of(parts),
            partition_by=[PARTITION] if partitioned else None,
            storage_options=where.options,
            target_file_size=_file_bytes(parts),
            writer_properties=_how_written(rows.schema),
            # Two writers at once are a lost lock: whoever comes second must not build on what it has not seen.
            commit_properties=CommitProperties(custom_metadata=dict(about), max_commit_retries=0),
            post_commithook_properties=keep_log(),
        )
    step("table committed")
    return where.table().version()


def _file_bytes(parts: Sequence[str] | None) -> int:
    return max(FEWEST_BYTES, min(FILE_BYTES, OPEN_BYTES // max(len(parts or ()), 1)))


def _how_written(schema: pa.Schema) -> WriterProperties:
    # A dictionary of numbers or times that mostly differ costs half the writing, and is given up for each row group.
    plain = [field.name for field in schema if pa.types.is_floating(field.type) or pa.types.is_timestamp(field.type)]
    without = dict.fromkeys(plain, ColumnProperties(dictionary_enabled=False))
    return WriterProperties(max_row_group_size=ROW_GROUP, column_properties=without)


def _one_of(parts: Sequence[str]) -> str:
    # Years, months and days of our own making: nothing in them needs a quote.
    names = ", ".join(f"'{part}'" for part in sorted(parts))
    return f"{PARTITION} IN ({names})"
