"""Refused rows, a page at a time: read from the quarantine as it lies, without taking it all in."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from features.adapters.duck import duck
from features.adapters.table_rows import refused_rows
from features.core.checks import HIDDEN
from features.ground.late import duckdb, pa
from features.models import Dataset, DatasetVersion, QuarantineFix

BATCH_ROWS = 5_000
MAX_PAGE = 1_000
KEYS = (("version", "int64"), ("fingerprint", "string"))
REFERENCES = (("place", "int64"), ("version", "int64"), ("row", "int64"))
UNKNOWN, ALREADY_FIXED, REPEATED = "not_in_quarantine", "already_fixed", "row_comes_twice"
FIXED = (("version", "int64"), ("row", "int64"), ("fixed_in", "int64"))


@dataclass(frozen=True, kw_only=True, slots=True)
class QuarantinedRow:
    """A row that was refused.

    Parameters
    ----------
    version : int
        Number of the dataset version whose ingestion refused it.
    row : int
        Its number in the source.
    values : dict or None
        Column by column as it came; None where it has no columns (a malformed row).
    text : str
        The row as it came, where it is malformed.
    reasons : list of dict
        column, rule and value of each fault.
    fixed_in : int or None
        Number of the version that took it mended.
    """

    version: int
    row: int
    values: dict[str, Any] | None
    text: str
    reasons: list[dict[str, Any]]
    fixed_in: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class QuarantinePage:
    """Some refused rows, and how many there are."""

    rows: list[QuarantinedRow]
    total: int


def open_quarantine(dataset: Dataset) -> int:
    """Return how many refused rows nobody has mended."""
    refused = sum(dataset.versions.values_list("rows_rejected", flat=True))
    return refused - QuarantineFix.objects.filter(rejected_in__dataset=dataset).count()


def read_quarantined(
    dataset: Dataset,
    *,
    version: int | None = None,
    reason: str | None = None,
    offset: int = 0,
    limit: int = 50,
    include_fixed: bool = False,
    reveal: bool = False,
) -> QuarantinePage:
    """Return a page of refused rows, by version and row.

    Parameters
    ----------
    dataset : Dataset
        Whose.
    version : int, optional
        Only those this version's ingestion refused.
    reason : str, optional
        Only those with a fault of this rule.
    offset, limit : int
        The page; at most 1000 rows.
    include_fixed : bool
        Also those that came back mended.
    reveal : bool
        Show the values of columns about persons, which are hidden otherwise.
    """
    hidden = () if reveal else tuple(column.name for column in dataset.columns() if column.pii)
    with _rows(dataset, version, reason, include_fixed=include_fixed) as rows:
        if rows is None:
            return QuarantinePage(rows=[], total=0)
        total = rows.aggregate("count(*) as n").to_arrow_table()["n"][0].as_py()
        page = rows.order("version, row").limit(min(limit, MAX_PAGE), offset).to_arrow_table().to_pylist()
        return QuarantinePage(rows=[_row(item, hidden) for item in page], total=total)


def all_quarantined(
    dataset: Dataset, *, version: int | None = None, reason: str | None = None, limit: int | None = None
) -> Iterator[QuarantinedRow]:
    """Yield refused rows that nobody has mended, with all their values, by version and row."""
    with _rows(dataset, version, reason, include_fixed=False) as rows:
        if rows is None:
            return
        ordered = rows.order("version, row")
        reader = (ordered.limit(limit) if limit is not None else ordered).to_arrow_reader(BATCH_ROWS)
        for batch in reader:
            yield from (_row(item, ()) for item in batch.to_pylist())


def unfit_references(dataset: Dataset, references: Sequence[tuple[int, int] | None]) -> dict[int, str]:
    """Return, by place, why a reference (version, row) names no refused row that can still be mended."""
    listed = [{"place": place, "version": one[0], "row": one[1]} for place, one in enumerate(references) if one]
    found: dict[int, int | None] = {}
    with _rows(dataset, None, None, include_fixed=True) as rows, duck() as connection:
        if rows is not None:
            connection.register("quarantine", rows.project("version, row, fixed_in").to_arrow_reader(BATCH_ROWS))
            connection.register("asked", pa.Table.from_pylist(listed, pa.schema(REFERENCES)))
            known = connection.table("asked").join(connection.table("quarantine"), "version, row")
            found = dict(known.project("place, fixed_in").fetchall())
    unfit, seen = {}, set[tuple[int, int]]()
    for place, reference in enumerate(references):
        if reference is None or place not in found:
            unfit[place] = UNKNOWN
        elif found[place] is not None:
            unfit[place] = ALREADY_FIXED
        elif reference in seen:
            unfit[place] = REPEATED
        else:
            seen.add(reference)
    return unfit


@contextmanager
def _rows(
    dataset: Dataset, version: int | None, reason: str | None, *, include_fixed: bool
) -> Iterator[duckdb.DuckDBPyRelation | None]:
    refused = refused_rows(dataset.name)
    if refused is None:
        yield None
        return
    # A quarantine that no version names was left by a writer that died.
    versions = DatasetVersion.objects.filter(dataset=dataset, rows_rejected__gt=0)
    versions = versions if version is None else versions.filter(number=version)
    known = [{"version": number, "fingerprint": name} for number, name in versions.values_list("number", "fingerprint")]
    fixes = QuarantineFix.objects.filter(rejected_in__in=versions)
    columns = ("rejected_in__number", "row", "fixed_in__number")
    mended = [
        dict(zip((name for name, _ in FIXED), fix, strict=True)) for fix in fixes.values_list(*columns).iterator()
    ]
    tables = {
        "known": pa.Table.from_pylist(known, pa.schema(KEYS)),
        "mended": pa.Table.from_pylist(mended, pa.schema(FIXED)),
    }
    with duck(refused=refused, **tables) as connection:
        rows = connection.table("refused").join(connection.table("known"), "fingerprint")
        rows = rows.project("version, row, raw, reasons").set_alias("r")
        rows = rows.join(
            connection.table("mended").set_alias("m"), "r.version = m.version and r.row = m.row", how="left"
        )
        rows = rows.project("r.version as version, r.row as row, raw, reasons, fixed_in")
        if not include_fixed:
            rows = rows.filter("fixed_in is null")
        if reason is not None:
            wanted = duckdb.ConstantExpression(reason)
            rows = rows.filter(f"list_contains(list_transform(reasons, lambda one: one.rule), {wanted})")
        yield rows


def _row(item: Mapping[str, Any], hidden: Sequence[str]) -> QuarantinedRow:
    malformed = any(not reason["column"] for reason in item["reasons"])
    values = None if malformed else json.loads(item["raw"])
    text = item["raw"] if malformed else ""
    reasons = item["reasons"]
    if hidden:
        # Which of its fields is whose is not known of a malformed row.
        text = HIDDEN if malformed else ""
        values = values and {
            name: HIDDEN if name in hidden and value is not None else value for name, value in values.items()
        }
        reasons = [{**one, "value": HIDDEN} if one["column"] in hidden and one["value"] else one for one in reasons]
    place = {key: item[key] for key in ("version", "row", "fixed_in")}
    return QuarantinedRow(values=values, text=text, reasons=reasons, **place)
