"""Add checked rows to a dataset as a new version: quarantine, table, database, in that order."""

from dataclasses import dataclass

from django.db import transaction

from features.actions.contract import Contract
from features.adapters import delta
from features.adapters.staging import Staging, staged_rows
from features.core.sources import RowSource
from features.errors import DatasetChangedError
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
    """

    dataset: str
    version: int
    fingerprint: str
    rows_read: int
    rows_valid: int
    rows_rejected: int
    reasons: dict[str, int]
    created: bool


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


def add_version(name: str, rows: RowSource, contract: Contract, staged: Staging, *, actor: str) -> IngestResult:
    """Write staged rows and record the version that holds them.

    A writer that dies leaves a quarantine nobody names and a table version nobody names: the next writer replaces the
    one and undoes the other, so running it again is always safe.

    Parameters
    ----------
    name : str
        The dataset's name.
    rows : RowSource
        Where the rows are from.
    contract : Contract
        What they were checked against.
    staged : Staging
        The checked rows.
    actor : str
        Who asks.

    Returns
    -------
    IngestResult

    Raises
    ------
    DatasetChangedError
        If the dataset's contract changed since the rows were checked.
    """
    with delta.one_writer(name):
        known = Dataset.objects.filter(name=name).first()
        if known and known.schema != contract.as_json():
            raise DatasetChangedError(f"the schema of {name!r} changed while the rows were checked; ask again")
        # Another process may have brought the same bytes while these were being checked.
        if seen := same_bytes(known, rows.fingerprint):
            return as_result(seen, created=False)
        last = DatasetVersion.objects.filter(dataset=known).order_by("-number").first() if known else None
        if staged.rows_rejected:
            with staged_rows(staged.rejected_path) as rejected:
                delta.put_in_quarantine(name, rows.fingerprint, rejected)
        with staged_rows(staged.valid_path) as valid:
            about = {"fingerprint": rows.fingerprint, "actor": actor}
            version = delta.append(name, valid, after=last.delta_version if last else None, about=about)
        return as_result(_record(name, rows, contract, staged, delta_version=version, actor=actor), created=True)


def _record(
    name: str, rows: RowSource, contract: Contract, staged: Staging, *, delta_version: int, actor: str
) -> DatasetVersion:
    with transaction.atomic(durable=True):
        dataset, _ = Dataset.objects.select_for_update().get_or_create(name=name, defaults=contract.dataset_fields())
        last = dataset.versions.order_by("-number").first()
        return DatasetVersion.objects.create(
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
            actor=actor,
        )


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
    )


def preview(name: str, known: Dataset | None, staged: Staging) -> IngestResult:
    """Return what staged rows would add.

    Parameters
    ----------
    name : str
        Name of the dataset.
    known : Dataset or None
        The dataset, if it is there.
    staged : Staging
        Rows that were checked and not written.

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
    )
