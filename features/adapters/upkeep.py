"""Keeping tables in order: larger files of small ones, files nobody needs, versions nobody names."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from urllib.parse import unquote

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable

from features.adapters.commits import head
from features.adapters.delta import keep_log, quarantine_place, table_place
from features.adapters.storage import Place, place
from features.ground.steps import step
from features.models import Dataset

TARGET_BYTES = 128 << 20
UNNAMED = re.compile(r"#[0-9]+\Z")


@dataclass(frozen=True, kw_only=True, slots=True)
class TableFault:
    """What of a table and of what is recorded of it does not fit together.

    Parameters
    ----------
    dataset : str
        The dataset's name.
    kind : str
        orphan: a version nobody names, left by a writer that died. lost: a recorded version the table has not.
    recorded, found : int or None
        Newest version that is recorded, and newest of the table; None where there is none.
    """

    dataset: str
    kind: Literal["orphan", "lost"]
    recorded: int | None
    found: int | None

    def __str__(self) -> str:
        """Say it in words."""
        there = "the table is gone" if self.found is None else f"the table is at version {self.found}"
        return f"{self.dataset}: {self.kind}, {there}, recorded is {self.recorded}"


def table_fault(dataset: Dataset) -> TableFault | None:
    """Compare a dataset's table with what is recorded of it."""
    recorded, where = head(dataset), table_place(dataset.name)
    found = where.table().version() if where.is_table() else None
    if recorded == found:
        return None
    kind: Literal["orphan", "lost"] = "lost" if found is None or (recorded or 0) > found else "orphan"
    return TableFault(dataset=dataset.name, kind=kind, recorded=recorded, found=found)


def compact(table: DeltaTable) -> tuple[int, int]:
    """Write the small files of each part of a table as larger ones; return how many went and came."""
    step("commit of the compaction")
    done = table.optimize.compact(
        target_size=TARGET_BYTES,
        max_concurrent_tasks=1,
        commit_properties=CommitProperties(max_commit_retries=0),
        post_commithook_properties=keep_log(),
    )
    step("compaction committed")
    return int(done["numFilesRemoved"]), int(done["numFilesAdded"])


@dataclass(frozen=True, kw_only=True, slots=True)
class Unneeded:
    """Files of a place, by their paths below it, and their bytes in all."""

    where: Place
    names: tuple[str, ...]
    size: int


def unneeded_files(where: Place, version: int, kept: Sequence[int]) -> Unneeded:
    """Find the files of a table that none of some versions needs: of other versions, or left by a dead writer."""
    names = _vacuum(where.table(version), kept, dry_run=True)
    sizes = {file.name: file.size for file in where.files()}
    # The library names removed files again and again, for their removal stays in the log.
    found = tuple(name for name in map(unquote, names) if name in sizes)
    return Unneeded(where=where, names=found, size=sum(sizes[name] for name in found))


def half_written(dataset: str) -> Unneeded:
    """Find the files of a dataset's tables that a dead writer had not named yet; the library never lists them."""
    where = place("datasets", dataset)
    found = [file for file in where.files() if UNNAMED.search(file.name)]
    return Unneeded(where=where, names=tuple(file.name for file in found), size=sum(file.size for file in found))


def remove_unneeded(where: Place, kept: Sequence[int]) -> int:
    """Remove them, and return the version of the table that says so."""
    table = where.table()
    step("removal of files")
    with where.reached():
        _vacuum(table, kept, dry_run=False)
    step("files removed")
    return where.table().version()


def _vacuum(table: DeltaTable, kept: Sequence[int], *, dry_run: bool) -> list[str]:
    # Nobody else writes: the dataset's lock is held, so even the newest file that no version names is a leftover.
    return table.vacuum(
        retention_hours=0,
        dry_run=dry_run,
        enforce_retention_duration=False,
        full=True,
        keep_versions=list(kept),
        post_commithook_properties=keep_log(),
    )


def unnamed_quarantine(dataset: str, named: Iterable[str]) -> dict[str, int]:
    """Return the ingestions whose refused rows are kept although none of these names them, and their bytes."""
    where = quarantine_place(dataset)
    if not where.is_table():
        return {}
    known, sizes = set(named), dict[str, int]()
    for one in pa.table(where.table().get_add_actions(flatten=True)).to_pylist():
        fingerprint = one["partition.fingerprint"]
        if fingerprint not in known:
            sizes[fingerprint] = sizes.get(fingerprint, 0) + one["size_bytes"]
    return sizes


def remove_quarantine(dataset: str, fingerprints: Iterable[str]) -> None:
    """Remove the refused rows of some ingestions, and what replaced ones left."""
    where = quarantine_place(dataset)
    names = ", ".join(f"'{fingerprint}'" for fingerprint in sorted(fingerprints))
    table = where.table()
    step("removal from the quarantine")
    with where.reached():
        table.delete(f"fingerprint IN ({names})", post_commithook_properties=keep_log())
        _vacuum(where.table(), [], dry_run=False)


def left_folders(root: str, named: Iterable[str], *, before: datetime) -> dict[str, tuple[str, ...]]:
    """Return the folders below a place that nothing names and nobody has written to lately, with their files."""
    known, groups = set(named), dict[str, list[tuple[str, datetime]]]()
    for file in place(root).files():
        groups.setdefault(file.name.split("/")[0], []).append((file.name, file.written_at))
    return {
        folder: tuple(name for name, _ in files)
        for folder, files in groups.items()
        if folder not in known and max(at for _, at in files) < before
    }
