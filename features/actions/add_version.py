"""Add checked rows to a dataset as a new version: quarantine, table, database, in that order."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from django.db import transaction

from features.actions.beside_rows import BesideRows, check_unchanged, write_beside
from features.actions.changes import Change, Written, rows_to_replace, write_rows
from features.adapters import delta, locks
from features.adapters.staging import Staging, staged_rows
from features.core.dataset_rules import BrokenRule
from features.core.sources import RowSource
from features.errors import DatasetChangedError
from features.ground.audit import record_audit
from features.models import Dataset, DatasetVersion


@dataclass(frozen=True, kw_only=True, slots=True)
class IngestResult:
    """What an ingestion added, or would add.

    Parameters
    ----------
    dataset : str
        The dataset's name.
    version : int
        Number of the dataset version that holds the rows.
    fingerprint : str
        sha256 of the bytes and of how they were read.
    rows_read, rows_valid, rows_rejected : int
        Counts of rows.
    reasons : dict of str to int
        Rejected rows by rule; a row with two faults counts under both.
    created : bool
        False where these bytes were there already, or nothing was to be written.
    warnings : list of dict
        Rules of the dataset that the rows break and are let in with.
    mode : str
        append, replace or upsert.
    rows_replaced : int
        Rows of the version before that these take the place of.
    rows_total : int
        Rows of the table at this version.
    """

    dataset: str
    version: int
    fingerprint: str
    rows_read: int
    rows_valid: int
    rows_rejected: int
    reasons: dict[str, int]
    created: bool
    warnings: list[dict[str, str]] = field(default_factory=list)
    mode: str = DatasetVersion.Mode.APPEND
    rows_replaced: int = 0
    rows_total: int = 0


def add_version(
    name: str, rows: RowSource, staged: Staging, beside: BesideRows, change: Change, *, actor: str
) -> IngestResult:
    """Write staged rows and record the version that holds them.

    A writer that dies leaves a quarantine nobody names and a table version nobody names: the next writer replaces the
    one and undoes the other, so running it again is always safe.

    Parameters
    ----------
    name : str
        The dataset's name.
    rows : RowSource
        Where the rows are from.
    staged : Staging
        The checked rows.
    beside : BesideRows
        What they were checked against, and what is written beside them.
    change : Change
        What they do to the rows that are there.
    actor : str
        Who asks.

    Returns
    -------
    IngestResult

    Raises
    ------
    DatasetBusyError, DatasetChangedError
        If others write for too long, or the dataset changed, so that the rows would have to be checked anew.
    """
    with locks.one_writer(name):
        known = Dataset.objects.filter(name=name).first()
        # Another process may have brought the same bytes while these were being checked.
        fingerprint, seen = change.applied(known, rows.fingerprint)
        if seen:
            return as_result(seen, created=False)
        last = known.versions.order_by("-number").first() if known else None
        check_unchanged(known, last, beside)
        if staged.rows_rejected:
            with staged_rows(staged.rejected_path) as rejected:
                delta.put_in_quarantine(name, fingerprint, rejected)
        written = write_rows(name, known, staged, change, about={"fingerprint": fingerprint, "actor": actor})
        fields = {"fingerprint": fingerprint, "mode": change.mode, "source": rows.label, "actor": actor}
        return as_result(_record(name, known, staged, beside, written, fields), created=True)


def _record(
    name: str, known: Dataset | None, staged: Staging, beside: BesideRows, written: Written, fields: dict[str, str]
) -> DatasetVersion:
    with transaction.atomic(durable=True):
        wanted = beside.contract.dataset_fields()
        dataset, created = Dataset.objects.select_for_update().get_or_create(name=name, defaults=wanted)
        # The lock was lost, or somebody wrote without it: these rows were put on a table that is not the newest.
        if created == bool(known) or (known and dataset.delta_head != known.delta_head):
            raise DatasetChangedError(f"somebody else wrote to {name!r} meanwhile; ask again", dataset=name)
        last = dataset.versions.order_by("-number").first()
        dataset.delta_head, dataset.partition_by = written.delta_version, written.span
        dataset.save(update_fields=["delta_head", "partition_by"])
        version = DatasetVersion.objects.create(
            dataset=dataset,
            number=last.number + 1 if last else 1,
            delta_version=written.delta_version,
            rows_valid=staged.rows_valid,
            rows_rejected=staged.rows_rejected,
            rows_replaced=written.rows_replaced,
            rows_total=written.rows_total,
            reasons=dict(staged.reasons),
            first_event_at=staged.first_event_at,
            last_event_at=staged.last_event_at,
            contract_number=beside.contract.number,
            warnings=[rule.as_dict() for rule in beside.warnings],
            **fields,
        )
        write_beside(version, beside, created=created, actor=version.actor)
        record_audit(
            actor=version.actor,
            action="ingest",
            object_type="dataset_version",
            object_id=str(version),
            before={"version": last.number if last else None},
            after={"mode": version.mode, "rows": version.rows_valid, "rejected": version.rows_rejected},
        )
        return version


def as_result(version: DatasetVersion, *, created: bool) -> IngestResult:
    """Return what a version added.

    Parameters
    ----------
    version : DatasetVersion
        The version to describe.
    created : bool
        Whether it was made just now.

    Returns
    -------
    IngestResult
        Its rows, and the reasons of those that were refused.
    """
    return IngestResult(
        dataset=version.dataset.name,
        version=version.number,
        fingerprint=version.fingerprint,
        rows_read=version.rows_valid + version.rows_rejected,
        rows_valid=version.rows_valid,
        rows_rejected=version.rows_rejected,
        reasons=version.reasons,
        created=created,
        warnings=version.warnings,
        mode=version.mode,
        rows_replaced=version.rows_replaced,
        rows_total=version.rows_total,
    )


def preview(
    name: str, known: Dataset | None, staged: Staging, change: Change, warnings: Sequence[BrokenRule] = ()
) -> IngestResult:
    """Return what staged rows would add.

    Parameters
    ----------
    name : str
        Name of the dataset.
    known : Dataset or None
        The dataset, if it is there.
    staged : Staging
        Rows that were checked and not written.
    change : Change
        What they would do to the rows that are there.
    warnings : sequence of BrokenRule
        Rules of the dataset they break.

    Returns
    -------
    IngestResult
        What an ingestion would answer.
    """
    last = known.versions.order_by("-number").first() if known else None
    replaced = rows_to_replace(known, staged, change)
    return IngestResult(
        dataset=name,
        version=last.number + 1 if last else 1,
        fingerprint=staged.fingerprint,
        rows_read=staged.rows_valid + staged.rows_rejected,
        rows_valid=staged.rows_valid,
        rows_rejected=staged.rows_rejected,
        reasons=dict(staged.reasons),
        created=False,
        warnings=[rule.as_dict() for rule in warnings],
        mode=change.mode,
        rows_replaced=replaced,
        rows_total=(last.rows_total if last else 0) - replaced + staged.rows_valid,
    )
