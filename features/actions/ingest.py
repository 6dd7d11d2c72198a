"""Take rows in: check each against the contract, keep the valid ones, put the others in quarantine."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
from django.utils import timezone

from features.actions.add_version import IngestResult, add_version, as_result, preview
from features.actions.beside_rows import beside_rows
from features.actions.changes import Mode, agreed_change
from features.actions.check_rows import check_rules, check_share, checked_rows
from features.actions.contract import agreed_contract
from features.adapters.delta import read_table
from features.adapters.disk import room_on_disk
from features.adapters.generated import Generated
from features.adapters.reading import ReadOptions, opened_files
from features.core.contract import Contract
from features.core.schema import ColumnRoles
from features.core.sources import RowSource, Told, check_columns
from features.ground.audit import refusals_audited
from features.ground.progress import Report, silent
from features.models import Dataset, DatasetVersion

READING, AGREEING, CHECKING = "reading the bytes", "agreeing on the schema", "checking rows"


@refusals_audited("ingest", object_type="dataset", of="dataset")
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
    mode: str = "append",
    key: Sequence[str] = (),
    dry_run: bool = False,
    now: datetime | None = None,
    report: Report = silent,
) -> IngestResult:
    """Add files to a dataset as a new version.

    Parameters
    ----------
    dataset, actor, source : str
        Name, made by the first ingestion; who asks; and where the rows are from, by default the file names.
    files : sequence of path
        CSV, Parquet or JSON Lines, plain or packed, or folders of them, with the same columns.
    read : ReadOptions, optional
        How to read the files.
    roles, schema : ColumnRoles, mapping or sequence of mapping, optional
        What columns are for, and the contract where it is not to be inferred; they must agree with what is stored.
    max_rejected : float, optional
        Share of faulty rows allowed, 0 to 1; by default the dataset's, then the installation's.
    mode, key : str, sequence of str
        append, replace or upsert; and columns an upsert matches by, by default the entity and the timestamp.
    dry_run, now, report : bool, datetime, Report
        Check all and write nothing; what freshness is measured against, by default the clock; and told how far it is.

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
    wanted = Wanted(roles or ColumnRoles(), schema, max_rejected, dry_run, now, mode, tuple(key))
    paths, told = [Path(file) for file in files], partial(_told, report)
    with room_on_disk(dataset), opened_files(paths, read or ReadOptions(), source, told) as rows:
        return _ingest(dataset, rows, wanted, actor=actor, report=report)


def _told(report: Report, share: float) -> None:
    report(int(share * 10), READING)


@refusals_audited("ingest", object_type="dataset", of="dataset")
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
    """Add made-up rows that follow the dataset's contract: columns and rules.

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

    Raises
    ------
    SchemaError
        If there are no, or not enough, values that meet a column's rules.
    """
    wanted = Wanted(roles=ColumnRoles(), schema=schema, max_rejected=0.0, dry_run=dry_run)
    known = Dataset.objects.filter(name=dataset).first() if schema is not None else Dataset.objects.named(dataset)
    contract = agreed_contract(dataset, known, None, wanted.roles, schema)
    last = DatasetVersion.objects.filter(dataset=known).order_by("-number").first() if known else None
    after, moment = last.last_event_at if last else None, timezone.now()
    made = Generated(contract, rows, seed, after=after, taken=_taken(contract, last), now=moment)
    with room_on_disk(dataset):
        return _ingest(dataset, made, wanted, actor=actor, report=report)


def _taken(contract: Contract, last: DatasetVersion | None) -> dict[str, pa.Array]:
    """Return the values that unique columns hold."""
    names = [column.name for column in contract.columns if column.unique]
    if last is None or not names:
        return {}
    table = read_table(last.dataset.name, last.delta_version, names)
    return {name: table[name].combine_chunks() for name in names}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the caller asks of the rows."""

    roles: ColumnRoles
    schema: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None
    max_rejected: float | None
    dry_run: bool
    now: datetime | None = None
    mode: str = "append"
    key: tuple[str, ...] = ()


def _ingest(name: str, rows: RowSource, wanted: Wanted, *, actor: str, report: Report) -> IngestResult:
    known = Dataset.objects.filter(name=name).first()
    found = rows.column_names()
    report(10, AGREEING)
    told = Told(rows, lambda share: report(10 + int(15 * share), AGREEING))
    contract = agreed_contract(name, known, told, wanted.roles, wanted.schema)
    check_columns(rows.label, found, contract.columns, ragged=rows.ragged)
    change = agreed_change(wanted.mode, wanted.key, contract.columns)
    _, seen = change.applied(known, rows.fingerprint)
    if seen:
        return as_result(seen, created=False)
    last = known.versions.order_by("-number").first() if known else None
    # What is replaced is not compared with.
    before = last if change.mode != Mode.REPLACE else None
    reading = Told(rows, lambda share: report(25 + int(50 * share), CHECKING))
    with checked_rows(reading, contract, before, key=change.key) as staged:
        check_share(rows.label, staged, contract, wanted.max_rejected)
        warnings = check_rules(rows.label, staged, contract, before, wanted.now or timezone.now())
        if wanted.dry_run:
            return preview(name, known, staged, change, warnings)
        report(77, "profiling the rows")
        beside = beside_rows(contract, staged, last, warnings=warnings)
        report(80, "writing the rows")
        return add_version(name, rows, staged, beside, change, actor=actor)
