"""Take rows in: check each against the contract, keep the valid ones, put the others in quarantine."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from features.actions.add_version import IngestResult, add_version, as_result, preview, same_bytes
from features.actions.contract import Contract, agreed_contract
from features.adapters.disk import room_on_disk
from features.adapters.generated import Generated
from features.adapters.reading import ReadOptions, opened_files
from features.adapters.staging import Staging, staging
from features.core.checks import RowChecker
from features.core.coerce import Target
from features.core.schema import ColumnRoles
from features.core.sources import RowSource, Told, check_columns, check_types, naive_times
from features.core.times import NO_ZONE
from features.errors import EmptyFileError, TooManyRejectedError
from features.ground.errors import bounded
from features.ground.progress import Report, silent
from features.models import Dataset, DatasetVersion

READING, AGREEING, CHECKING = "reading the bytes", "agreeing on the schema", "checking rows"


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
    dataset, actor : str
        Name, made by the first ingestion; and who asks.
    files : sequence of path
        CSV, Parquet or JSON Lines, plain or packed, or folders of them, with the same columns.
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
    report : Report
        Told how far it is.

    Returns
    -------
    IngestResult
        The same version again where the same bytes were ingested before.

    Raises
    ------
    FeaturesError
        Of many kinds: files, rows or rules are not what they must be, or there is no room. Nothing is written.
    """
    report(0, READING)
    wanted = Wanted(roles=roles or ColumnRoles(), schema=schema, max_rejected=max_rejected, dry_run=dry_run)
    paths, told = [Path(file) for file in files], partial(_told, report)
    with room_on_disk(dataset), opened_files(paths, read or ReadOptions(), source, told) as rows:
        return _ingest(dataset, rows, wanted, actor=actor, report=report)


def _told(report: Report, share: float) -> None:
    report(int(share * 10), READING)


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
    with room_on_disk(dataset):
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
    report(10, AGREEING)
    told = Told(rows, lambda share: report(10 + int(15 * share), AGREEING))
    contract = agreed_contract(name, known, told, wanted.roles, wanted.schema)
    check_columns(rows.label, found, contract.columns, ragged=rows.ragged)
    if seen := same_bytes(known, rows.fingerprint):
        return as_result(seen, created=False)
    with staging(contract.columns, rows.fingerprint) as staged:
        _stage(Told(rows, lambda share: report(25 + int(50 * share), CHECKING)), contract, staged)
        _check_share(rows.label, staged, contract.allowed_share(wanted.max_rejected))
        if wanted.dry_run:
            return preview(name, known, staged)
        report(80, "writing the rows")
        return add_version(name, rows, contract, staged, actor=actor)


def _stage(rows: RowSource, contract: Contract, staged: Staging) -> None:
    checker = RowChecker(contract.columns, contract.timezone)
    dtypes = {column.name: column.dtype for column in contract.columns}
    for chunk in rows.chunks(list(dtypes), Target(dtypes=dtypes, zone=contract.timezone)):
        if rows.typed:
            check_types(rows.label, chunk.table.schema, contract.columns, contract.timezone)
        staged.add(chunk, checker.check(chunk.table))
    staged.close()
    if staged.rows_valid + staged.rows_rejected == 0:
        raise EmptyFileError(f"{rows.label} holds no row below its header; expected at least one")


def _check_share(label: str, staged: Staging, allowed: float) -> None:
    total = staged.rows_valid + staged.rows_rejected
    if staged.rows_valid and staged.rows_rejected <= allowed * total:
        return
    if naive := sorted(column for column, rule in staged.by_column if rule == NO_ZONE):
        raise naive_times(label, naive)
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
