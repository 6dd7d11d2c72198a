"""Take rows in: check each against the contract, keep the valid ones, put the others in quarantine."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from django.utils import timezone

from features.actions.add_version import IngestResult, add_version, as_result, preview, same_bytes
from features.actions.beside_rows import beside_rows
from features.actions.check_rows import check_rules, check_share, checked_rows
from features.actions.contract import agreed_contract
from features.adapters.generated import Generated
from features.adapters.reading import Files, ReadOptions
from features.core.schema import ColumnRoles
from features.core.sources import RowSource, check_columns
from features.ground.progress import Report, silent
from features.models import Dataset, DatasetVersion


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
    now: datetime | None = None,
    report: Report = silent,
) -> IngestResult:
    """Add files to a dataset as a new version; the same bytes again are the same version.

    Parameters
    ----------
    dataset, actor : str
        Name, made by the first ingestion; and who asks.
    files : sequence of path
        CSV, Parquet or JSON Lines, with the same columns.
    read : ReadOptions, optional
        How to read the files.
    roles, schema : ColumnRoles, mapping or sequence of mapping, optional
        What columns are for, and the contract where it is not to be inferred; they must agree with what is stored.
    max_rejected : float, optional
        Share of faulty rows allowed, 0 to 1; by default the dataset's, then the installation's.
    source : str, optional
        Where the rows are from, for people; by default the file names.
    dry_run : bool
        Check all and write nothing.
    now : datetime, optional
        Against which freshness is measured; by default the clock.
    report : Report
        Told how far it is.

    Returns
    -------
    IngestResult

    Raises
    ------
    FeaturesError
        Of many kinds: the files can't be used, rows or rules are not as they must be. Nothing is written.
    """
    report(0, "reading the bytes")
    rows = Files([Path(file) for file in files], read or ReadOptions(), source)
    wanted = Wanted(roles=roles or ColumnRoles(), schema=schema, max_rejected=max_rejected, dry_run=dry_run, now=now)
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
    now: datetime | None = None


def _ingest(name: str, rows: RowSource, wanted: Wanted, *, actor: str, report: Report) -> IngestResult:
    known = Dataset.objects.filter(name=name).first()
    found = rows.column_names()
    report(10, "agreeing on the schema")
    contract = agreed_contract(name, known, rows, wanted.roles, wanted.schema)
    check_columns(rows.label, found, contract.columns, ragged=rows.ragged)
    if seen := same_bytes(known, rows.fingerprint):
        return as_result(seen, created=False)
    last = known.versions.order_by("-number").first() if known else None
    with checked_rows(rows, contract, last, report) as staged:
        check_share(rows.label, staged, contract, wanted.max_rejected)
        warnings = check_rules(rows.label, staged, contract, last, wanted.now or timezone.now())
        if wanted.dry_run:
            return preview(name, known, staged, warnings)
        report(78, "profiling the rows")
        beside = beside_rows(contract, staged, last, warnings=warnings)
        report(80, "writing the rows")
        return add_version(name, rows, staged, beside, actor=actor)
