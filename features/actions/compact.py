"""Make larger files of a table's small ones; what the table holds stays the same."""

from dataclasses import dataclass

from django.db import transaction

from features.adapters import upkeep
from features.adapters.commits import head, open_at
from features.adapters.locks import one_writer
from features.errors import DatasetChangedError
from features.ground.progress import Report, silent
from features.models import Dataset


@dataclass(frozen=True, kw_only=True, slots=True)
class CompactedTable:
    """What became of one table: how many files were made into how many."""

    dataset: str
    files_before: int
    files_after: int


@dataclass(frozen=True, kw_only=True, slots=True)
class CompactResult:
    """The tables that were looked at."""

    tables: tuple[CompactedTable, ...]


def compact_tables(dataset: str | None = None, *, actor: str, report: Report = silent) -> CompactResult:
    """Compact a dataset's table, or every table.

    Readers and earlier versions are not disturbed: the small files stay until `prune` removes them.

    Parameters
    ----------
    dataset : str, optional
        Only this one.
    actor : str
        Who asks.
    report : Report
        Told how far it is.

    Returns
    -------
    CompactResult

    Raises
    ------
    UnknownDatasetError, DatasetBusyError
        If there is no such dataset, or others write to one for too long.
    """
    names = [Dataset.objects.named(dataset).name] if dataset else list(Dataset.objects.values_list("name", flat=True))
    tables = []
    for place, name in enumerate(names):
        report(100 * place // len(names), f"compacting {name}")
        tables.append(_compact(name))
    return CompactResult(tables=tuple(tables))


def _compact(name: str) -> CompactedTable:
    with one_writer(name):
        dataset = Dataset.objects.named(name)
        table = open_at(name, head(dataset))
        if table is None:
            return CompactedTable(dataset=name, files_before=0, files_after=0)
        before = len(table.file_uris())
        removed, added = upkeep.compact(table)
        record_head(dataset, table.version())
        return CompactedTable(dataset=name, files_before=before, files_after=before - removed + added)


def record_head(dataset: Dataset, version: int) -> None:
    """Record that a dataset's table has a version with the same rows.

    Parameters
    ----------
    dataset : Dataset
        As it was when the version was begun.
    version : int
        Version of its table.

    Raises
    ------
    DatasetChangedError
        If somebody wrote to the dataset without the lock.
    """
    with transaction.atomic(durable=True):
        locked = Dataset.objects.select_for_update().get(pk=dataset.pk)
        if locked.delta_head != dataset.delta_head:
            text = f"somebody else wrote to {dataset.name!r} meanwhile; ask again"
            raise DatasetChangedError(text, dataset=dataset.name)
        locked.delta_head = version
        locked.save(update_fields=["delta_head"])
