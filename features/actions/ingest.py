"""Take rows in: check each against the contract, keep the valid ones, put the others in quarantine."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import transaction

from features.actions.contract import Contract, agreed_contract
from features.adapters import delta
from features.adapters.generated import Generated
from features.adapters.reading import Files, ReadOptions
from features.adapters.staging import Staging, staged_rows, staging
from features.core.checks import RowChecker
from features.core.schema import ColumnRoles
from features.core.sources import RowSource, check_columns, check_types
from features.errors import DatasetChangedError, EmptyFileError, TooManyRejectedError
from features.ground.errors import bounded
from features.ground.progress import Report, silent
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


def ingest(
    dataset: str,
    files: Sequence[Path | str],
    *,
    actor: str,
    read: ReadOptions | None = None,
    roles: ColumnRoles | None = None,
    schema: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
    max_rejected: float | None = None,
    source: str | None = None,
    dry_run: bool = False,
    report: Report = silent,
) -> IngestResult:
    """Add files to a dataset as a new version.

    Parameters
    ----------
    dataset : str
        Name; made by the first ingestion.
    files : sequence of path
        CSV, Parquet or JSON Lines, with the same columns.
    actor : str
        Who asks.
    read : ReadOptions, optional
        How to read the files.
    roles : ColumnRoles, optional
        What columns are for; on a known dataset it must agree with what is stored.
    schema : mapping or sequence of mapping, optional
        The contract, where it is not to be inferred.
    max_rejected : float, optional
        Share of faulty rows allowed, 0 to 1; by default the dataset's, then the installation's.
    source : str, optional
        Where the rows are from, for people; by default the file names.
    dry_run : bool
        Check all and write nothing.
    report : Report
        Told how far it is.

    Returns
    -------
    IngestResult
        The same version again where the same bytes were ingested before.

    Raises
    ------
    FileMissingError, UnreadableFileError, EmptyFileError, HeaderError, ColumnsError, SchemaError
        If the files or what is said about them can't be used.
    TooManyRejectedError
        If no row is valid, or more are faulty than allowed. Nothing is written.
    """
    report(0, "reading the bytes")
    rows = Files([Path(file) for file in files], read or ReadOptions(), source)
    wanted = Wanted(roles=roles or ColumnRoles(), schema=schema, max_rejected=max_rejected, dry_run=dry_run)
    return _ingest(dataset, rows, wanted, actor=actor, report=report)


def ingest_synthetic(
    dataset: str,
    rows: int,
    *,
    seed: int,
    actor: str,
    schema: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
    dry_run: bool = False,
    report: Report = silent,
) -> IngestResult:
    """Add made-up rows that follow the dataset's schema.

    Parameters
    ----------
    dataset : str
        A dataset with a schema, or a new one together with `schema`.
    rows : int
        How many, at least 1.
    seed : int
        The same seed gives the same rows.
    actor : str
        Who asks.
    schema : mapping or sequence of mapping, optional
        The contract of a new dataset.
    dry_run : bool
        Check all and write nothing.
    report : Report
        Told how far it is.

    Returns
    -------
    IngestResult
    """
    wanted = Wanted(roles=ColumnRoles(), schema=schema, max_rejected=0.0, dry_run=dry_run)
    known = Dataset.objects.filter(name=dataset).first() if schema is not None else Dataset.objects.named(dataset)
    contract = agreed_contract(dataset, known, None, wanted.roles, schema)
    last = DatasetVersion.objects.filter(dataset=known).order_by("-number").first() if known else None
    made = Generated(contract.columns, rows, seed, after=last.last_event_at if last else None)
    return _ingest(dataset, made, wanted, actor=actor, report=report)


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What the caller asks of the rows."""

    roles: ColumnRoles
    schema: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None
    max_rejected: float | None
    dry_run: bool


def _ingest(name: str, rows: RowSource, wanted: Wanted, *, actor: str, report: Report) -> IngestResult:
    known = Dataset.objects.filter(name=name).first()
    found = rows.column_names()
    report(10, "agreeing on the schema")
    contract = agreed_contract(name, known, rows, wanted.roles, wanted.schema)
    check_columns(rows.label, found, contract.columns)
    if seen := _same_bytes(known, rows.fingerprint):
        return _result(seen, created=False)
    with staging(contract.columns, rows.fingerprint) as staged:
        _stage(rows, contract, staged, report)
        _check_share(rows.label, staged, contract.allowed_share(wanted.max_rejected))
        if wanted.dry_run:
            return _preview(name, known, staged)
        report(80, "writing the rows")
        return _store(name, rows, contract, staged, actor=actor)


def _same_bytes(dataset: Dataset | None, fingerprint: str) -> DatasetVersion | None:
    return DatasetVersion.objects.filter(dataset=dataset, fingerprint=fingerprint).first() if dataset else None


def _stage(rows: RowSource, contract: Contract, staged: Staging, report: Report) -> None:
    checker = RowChecker(contract.columns)
    for chunk in rows.chunks():
        if rows.typed:
            check_types(rows.label, chunk.table.schema, contract.columns)
        staged.add(chunk, checker.check(chunk.table))
        report(40, "checking rows")
    staged.close()
    if staged.rows_valid + staged.rows_rejected == 0:
        raise EmptyFileError(f"{rows.label} holds no row below its header; expected at least one")


def _check_share(label: str, staged: Staging, allowed: float) -> None:
    total = staged.rows_valid + staged.rows_rejected
    if staged.rows_valid and staged.rows_rejected <= allowed * total:
        return
    worst = ", ".join(
        f"{column or 'row'} {rule} ({count})" for (column, rule), count in staged.by_column.most_common(5)
    )
    share = "no row is valid" if not staged.rows_valid else f"at most {allowed:.2%} may be"
    raise TooManyRejectedError(
        f"{staged.rows_rejected} of {total} rows of {bounded(label, 80)} are faulty, {share}; nothing was written. "
        f"Most frequent: {bounded(worst, 300)}",
        rows_read=total,
        rows_rejected=staged.rows_rejected,
        max_rejected=allowed,
        reasons=dict(staged.reasons),
    )


def _store(name: str, rows: RowSource, contract: Contract, staged: Staging, *, actor: str) -> IngestResult:
    with delta.one_writer(name):
        known = Dataset.objects.filter(name=name).first()
        if known and known.schema != contract.as_json():
            raise DatasetChangedError(f"the schema of {name!r} changed while the rows were checked; ask again")
        # Another process may have brought the same bytes while these were being checked.
        if seen := _same_bytes(known, rows.fingerprint):
            return _result(seen, created=False)
        last = DatasetVersion.objects.filter(dataset=known).order_by("-number").first() if known else None
        if staged.rows_rejected:
            with staged_rows(staged.rejected_path) as rejected:
                delta.put_in_quarantine(name, rows.fingerprint, rejected)
        with staged_rows(staged.valid_path) as valid:
            about = {"fingerprint": rows.fingerprint, "actor": actor}
            version = delta.append(name, valid, after=last.delta_version if last else None, about=about)
        return _result(_record(name, rows, contract, staged, delta_version=version, actor=actor), created=True)


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


def _result(version: DatasetVersion, *, created: bool) -> IngestResult:
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


def _preview(name: str, known: Dataset | None, staged: Staging) -> IngestResult:
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
