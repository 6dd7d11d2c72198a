"""Add checked rows to a dataset as a new version: quarantine, table, database, in that order."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from django.db import transaction

from features.actions.beside_rows import BesideRows, check_unchanged, write_beside
from features.adapters import delta
from features.adapters.staging import Staging, staged_rows
from features.core.dataset_rules import BrokenRule
from features.core.sources import RowSource
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


def same_bytes(dataset: Dataset | None, fingerprint: str) -> DatasetVersion | None:
    """Return the version these bytes made before, if they did.

    Parameters
    ----------
    dataset : Dataset or None
        Where to look; None for one that isn't there yet.
    fingerprint : str
        Digest of the bytes.

    Returns
    -------
    DatasetVersion or None
        The version, or None if the bytes are new.
    """
    return DatasetVersion.objects.filter(dataset=dataset, fingerprint=fingerprint).first() if dataset else None


def add_version(name: str, rows: RowSource, staged: Staging, beside: BesideRows, *, actor: str) -> IngestResult:
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
    actor : str
        Who asks.

    Returns
    -------
    IngestResult

    Raises
    ------
    DatasetChangedError
        If the dataset changed, so that the rows would have to be checked anew.
    """
    with delta.one_writer(name):
        known = Dataset.objects.filter(name=name).first()
        # Another process may have brought the same bytes while these were being checked.
        if seen := same_bytes(known, rows.fingerprint):
            return as_result(seen, created=False)
        last = DatasetVersion.objects.filter(dataset=known).order_by("-number").first() if known else None
        check_unchanged(known, last, beside)
        if staged.rows_rejected:
            with staged_rows(staged.rejected_path) as rejected:
                delta.put_in_quarantine(name, rows.fingerprint, rejected)
        with staged_rows(staged.valid_path) as valid:
            about = {"fingerprint": rows.fingerprint, "actor": actor}
            version = delta.append(name, valid, after=last.delta_version if last else None, about=about)
        return as_result(_record(name, rows, staged, beside, delta_version=version, actor=actor), created=True)


def _record(
    name: str, rows: RowSource, staged: Staging, beside: BesideRows, *, delta_version: int, actor: str
) -> DatasetVersion:
    with transaction.atomic(durable=True):
        fields = beside.contract.dataset_fields()
        dataset, created = Dataset.objects.select_for_update().get_or_create(name=name, defaults=fields)
        last = dataset.versions.order_by("-number").first()
        version = DatasetVersion.objects.create(
            dataset=dataset,
            number=last.number + 1 if last else 1,
            delta_version=delta_version,
            fingerprint=rows.fingerprint,
            rows_valid=staged.rows_valid,
            rows_rejected=staged.rows_rejected,
            rows_total=(last.rows_total if last else 0) + staged.rows_valid,
            reasons=dict(staged.reasons),
            first_event_at=staged.first_event_at,
            last_event_at=staged.last_event_at,
            source=rows.label,
            contract_number=beside.contract.number,
            warnings=[rule.as_dict() for rule in beside.warnings],
            actor=actor,
        )
        write_beside(version, beside, created=created, actor=actor)
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
    )


def preview(name: str, known: Dataset | None, staged: Staging, warnings: Sequence[BrokenRule] = ()) -> IngestResult:
    """Return what staged rows would add.

    Parameters
    ----------
    name : str
        Name of the dataset.
    known : Dataset or None
        The dataset, if it is there.
    staged : Staging
        Rows that were checked and not written.
    warnings : sequence of BrokenRule
        Rules of the dataset they break.

    Returns
    -------
    IngestResult
        What an ingestion would answer.
    """
    last = known.versions.order_by("-number").first() if known else None
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
    )
