"""Remove what nothing refers to any more: old versions, leftovers of what died, values no longer served."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from django.db import transaction
from django.utils import timezone

from features.actions.compact import record_head
from features.adapters import upkeep
from features.adapters.commits import head, open_at
from features.adapters.delta import table_place
from features.adapters.leftovers import left_files, remove_left
from features.adapters.locks import one_writer
from features.adapters.policy import keep_versions_days
from features.adapters.storage import place
from features.ground.audit import record_audit
from features.ground.progress import Report, silent
from features.models import Dataset, DatasetVersion, FeatureSnapshot, OnlineFeature

GRACE = timedelta(days=1)
"""What is younger may belong to somebody who is still at work."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PrunedItem:
    """One thing that goes.

    Parameters
    ----------
    kind : str
        version, table files, half-written files, quarantine, snapshot, table, staging, upload or online values.
    name : str
        Which one.
    bytes : int
        What it takes on disk; 0 where it is rows of the database.
    """

    kind: str
    name: str
    bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class PruneResult:
    """What was removed, or would be: each thing, and the bytes of all."""

    removed: tuple[PrunedItem, ...]
    bytes: int
    dry_run: bool


def prune(*, actor: str, dry_run: bool = False, now: datetime | None = None, report: Report = silent) -> PruneResult:
    """Remove what nothing refers to, within retention.

    The newest version of a dataset stays, and so does one whose online values are being served. A training snapshot
    holds its own rows, so it needs no version.

    Parameters
    ----------
    actor : str
        Who asks.
    dry_run : bool
        Say what would go and remove nothing.
    now : datetime, optional
        When age is counted from; by default the present.
    report : Report
        Told how far it is.

    Returns
    -------
    PruneResult

    Raises
    ------
    DatasetBusyError
        If others write to a dataset for too long.
    """
    moment = now or timezone.now()
    items: list[PrunedItem] = []
    names = list(Dataset.objects.values_list("name", flat=True))
    for number, name in enumerate(names):
        report(80 * number // len(names), f"looking at {name}")
        with one_writer(name):
            items += _dataset(Dataset.objects.named(name), moment, actor=actor, dry_run=dry_run)
    report(80, "looking at the rest")
    items += _folders(moment - GRACE, dry_run=dry_run)
    items += _online(moment - GRACE, dry_run=dry_run)
    return PruneResult(removed=tuple(items), bytes=sum(item.bytes for item in items), dry_run=dry_run)


def _dataset(dataset: Dataset, now: datetime, *, actor: str, dry_run: bool) -> Iterator[PrunedItem]:
    old = _old_versions(dataset, now)
    yield from (PrunedItem(kind="version", name=str(version), bytes=0) for version in old)
    if old and not dry_run:
        _mark(dataset, old, now, actor=actor)
    readable = dataset.versions.filter(pruned_at__isnull=True).exclude(pk__in=[version.pk for version in old])
    yield from _table_files(dataset, sorted(readable.values_list("delta_version", flat=True)), dry_run=dry_run)
    refused = upkeep.unnamed_quarantine(dataset.name, readable.values_list("fingerprint", flat=True))
    for fingerprint, size in refused.items():
        yield PrunedItem(kind="quarantine", name=f"{dataset.name} {fingerprint[:12]}", bytes=size)
    if refused and not dry_run:
        upkeep.remove_quarantine(dataset.name, refused)
    # The dataset's lock is held, so their writer is dead, however young they are.
    torn = upkeep.half_written(dataset.name)
    if torn.names:
        yield PrunedItem(kind="half-written files", name=f"{dataset.name}: {len(torn.names)} files", bytes=torn.size)
    if not dry_run:
        torn.where.remove(torn.names)


def _old_versions(dataset: Dataset, now: datetime) -> list[DatasetVersion]:
    """Return versions that were followed by another one longer ago than the dataset keeps them."""
    oldest = now - timedelta(days=dataset.keep_days or keep_versions_days())
    versions = list(dataset.versions.order_by("number"))
    served = FeatureSnapshot.objects.filter(live_in__isnull=False).values("dataset_version")
    kept = set(DatasetVersion.objects.filter(pk__in=served).values_list("pk", flat=True))
    pairs = pairwise(versions)
    return [
        version
        for version, later in pairs
        if later.created_at < oldest and version.pruned_at is None and version.pk not in kept
    ]


def _mark(dataset: Dataset, old: list[DatasetVersion], now: datetime, *, actor: str) -> None:
    """Say that versions can't be read any more, before they can't."""
    with transaction.atomic(durable=True):
        DatasetVersion.objects.filter(pk__in=[version.pk for version in old]).update(pruned_at=now)
        record_audit(
            actor=actor,
            action="dataset.prune",
            object_type="dataset",
            object_id=dataset.name,
            after={"versions": [version.number for version in old]},
        )


def _table_files(dataset: Dataset, kept: list[int], *, dry_run: bool) -> Iterator[PrunedItem]:
    newest, where = head(dataset), table_place(dataset.name)
    if newest is None or not where.is_table():
        return
    if not dry_run:
        open_at(dataset.name, newest)
    found = upkeep.unneeded_files(where, where.table().version() if not dry_run else newest, kept)
    if not found.names:
        return
    yield PrunedItem(kind="table files", name=f"{dataset.name}: {len(found.names)} files", bytes=found.size)
    if not dry_run:
        record_head(dataset, upkeep.remove_unneeded(where, [*kept, newest]))


def _folders(before: datetime, *, dry_run: bool) -> Iterator[PrunedItem]:
    paths = FeatureSnapshot.objects.exclude(path="").values_list("path", flat=True)
    named = {path.split("/")[1] for path in paths}
    for kind, root, known in (
        ("snapshot", "snapshots", named),
        ("table", "datasets", set(Dataset.objects.values_list("name", flat=True))),
    ):
        where = place(root)
        sizes = {file.name: file.size for file in where.files()}
        for folder, files in upkeep.left_folders(root, known, before=before).items():
            yield PrunedItem(kind=kind, name=folder, bytes=sum(sizes[name] for name in files))
            if not dry_run:
                _remove_folder(root, folder)
    for kind, path, size in left_files(before):
        yield PrunedItem(kind=kind, name=path.name, bytes=size)
        if not dry_run:
            remove_left(path)


def _remove_folder(root: str, folder: str) -> None:
    if root == "datasets":
        # Somebody may be making a dataset of that name at this moment.
        with one_writer(folder):
            if not Dataset.objects.filter(name=folder).exists():
                place(root, folder).remove_all()
    else:
        place(root, folder).remove_all()


def _online(before: datetime, *, dry_run: bool) -> Iterator[PrunedItem]:
    old = FeatureSnapshot.objects.filter(kind=FeatureSnapshot.Kind.ONLINE, live_in__isnull=True, created_at__lt=before)
    for snapshot in old.filter(online__isnull=False).distinct():
        yield PrunedItem(kind="online values", name=f"{snapshot.name} {snapshot.pk}", bytes=0)
        if not dry_run:
            with transaction.atomic(durable=True):
                OnlineFeature.objects.filter(snapshot=snapshot).delete()
