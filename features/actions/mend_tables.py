"""Make tables and what is recorded of them fit together again."""

from dataclasses import dataclass

from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from features.actions.compact import record_head
from features.adapters.commits import head, open_at
from features.adapters.locks import one_writer
from features.adapters.upkeep import TableFault, table_fault
from features.errors import DatasetBusyError
from features.ground.audit import record_audit
from features.models import Dataset, DatasetVersion

# No table gets that many versions.
GONE = 2**60


@dataclass(frozen=True, kw_only=True, slots=True)
class TablesResult:
    """How many tables there are, which are being written at this moment, and what is wrong with the others."""

    tables: int
    busy: tuple[str, ...]
    faults: tuple[TableFault, ...]


def check_tables() -> TablesResult:
    """Compare every table with what is recorded of it.

    Returns
    -------
    TablesResult
        A table that is being written is not judged.
    """
    return _look(mend=False, actor="")


def mend_tables(*, actor: str) -> TablesResult:
    """Undo versions nobody names, and give up those that are recorded and gone.

    Parameters
    ----------
    actor : str
        Who asks.

    Returns
    -------
    TablesResult
        What was wrong.
    """
    return _look(mend=True, actor=actor)


def _look(*, mend: bool, actor: str) -> TablesResult:
    names = list(Dataset.objects.values_list("name", flat=True))
    busy, faults = [], []
    for name in names:
        # Only what looks wrong is looked at again in peace: a writer is between its two commits for a moment.
        if table_fault(Dataset.objects.get(name=name)) is None:
            continue
        try:
            with one_writer(name, patience_s=0):
                dataset = Dataset.objects.get(name=name)
                if fault := table_fault(dataset):
                    faults.append(fault)
                    if mend:
                        _mend(dataset, fault, actor)
        except DatasetBusyError:
            busy.append(name)
    return TablesResult(tables=len(names), busy=tuple(busy), faults=tuple(faults))


def _mend(dataset: Dataset, fault: TableFault, actor: str) -> None:
    if fault.kind == "orphan":
        table = open_at(dataset.name, head(dataset))
        if table is not None:
            record_head(dataset, table.version())
        after: dict[str, object] = {"head": table.version() if table else None}
    else:
        after = _give_up(dataset, fault)
    with transaction.atomic(durable=True):
        record_audit(
            actor=actor,
            action="dataset.mend",
            object_type="dataset",
            object_id=dataset.name,
            before={"recorded": fault.recorded, "found": fault.found},
            after=after,
            reason=fault.kind,
        )


def _give_up(dataset: Dataset, fault: TableFault) -> dict[str, object]:
    with transaction.atomic(durable=True):
        versions = DatasetVersion.objects.filter(dataset=dataset)
        readable = versions.filter(pruned_at__isnull=True)
        lost = readable if fault.found is None else readable.filter(delta_version__gt=fault.found)
        numbers = sorted(lost.values_list("number", flat=True))
        lost.update(pruned_at=timezone.now())
        newest = readable.order_by("-number").first()
        _put_away(versions.filter(pruned_at__isnull=False), above=newest.delta_version if newest else -1)
        dataset.delta_head = newest.delta_version if newest else None
        dataset.save(update_fields=["delta_head"])
    return {"head": dataset.delta_head, "versions given up": numbers}


def _put_away(pruned: QuerySet[DatasetVersion], *, above: int) -> None:
    """Give versions that can't be read numbers no table has: the table goes on counting from the head that is left."""
    taken = pruned.filter(delta_version__gt=above, delta_version__lt=GONE)
    taken.update(delta_version=F("delta_version") + GONE)
