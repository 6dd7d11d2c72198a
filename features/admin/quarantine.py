"""The refused rows of a dataset: a few on its page, all of them on a page of their own."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import urlencode

from django.db.models import F
from django.http import HttpRequest, QueryDict, StreamingHttpResponse
from django.urls import reverse

from features.adapters.mended_files import csv_lines, json_lines
from features.adapters.quarantine import QuarantinedRow, all_quarantined, open_quarantine, read_quarantined
from features.ground.console import anchor, is_admin, mono, number
from features.ground.panels import Panel, Table
from features.models import Dataset

PAGE = 50
MAX_PAGE = 100_000
MOST_VERSIONS = 200
ALL = "all"
EXPORTS = {"csv": ("Export as CSV", "text/csv"), "jsonl": ("Export as JSON Lines", "application/x-ndjson")}
# Of a row as it came: what is shown at once, and what on demand.
SHOWN, UNFOLDED = 160, 4000


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """A filter: its values in words, and the one that is chosen."""

    name: str
    label: str
    choices: Sequence[tuple[str, str]]
    chosen: str


@dataclass(frozen=True, kw_only=True)
class Quarantine(Panel):
    """A page of refused rows."""

    template: ClassVar[str] = "console/quarantine.html"
    address: str
    filters: Sequence[Choice]
    rows: Sequence[Mapping[str, Any]]
    total: int
    where: str = ""
    newer: str = ""
    older: str = ""
    exports: Sequence[tuple[str, str]] = ()
    fix: str = ""
    hint: str = ""
    empty: str = "No row is in quarantine."


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """Which refused rows are asked for."""

    version: int | None = None
    reason: str | None = None
    state: str = ""
    page: int = 0

    def query(self, **changes: Any) -> str:
        """Return it as part of an address, with some of it changed."""
        values = {"version": self.version, "reason": self.reason, "state": self.state, "page": self.page, **changes}
        kept = {name: value for name, value in values.items() if value}
        return f"?{urlencode(kept)}" if kept else ""


def wanted(query: QueryDict) -> Wanted:
    """Return what an address asks for; what makes no sense asks for nothing."""
    version, page = whole(query.get("version", "")), whole(query.get("page", ""))
    reason = query.get("reason", "")[:200]
    return Wanted(
        version=version or None,
        reason=reason if reason and reason.isprintable() else None,
        state=ALL if query.get("state") == ALL else "",
        page=min(page, MAX_PAGE),
    )


def whole(text: str) -> int:
    """Return the whole number an address names, or 0."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def address_of(dataset: Dataset, page: str = "quarantine") -> str:
    """Return the address of a dataset's quarantine, or of its export."""
    return reverse(f"admin:features_dataset_{page}", args=[dataset.pk])


def quarantine_panel(dataset: Dataset, asked: Wanted, *, exports: bool, fix: str = "") -> Quarantine:
    """Return a page of refused rows with the filters that lead to others."""
    found = read_quarantined(
        dataset,
        version=asked.version,
        reason=asked.reason,
        offset=asked.page * PAGE,
        limit=PAGE,
        include_fixed=asked.state == ALL,
    )
    here, first = address_of(dataset), asked.page * PAGE
    return Quarantine(
        title="Refused rows",
        wide=True,
        address=here,
        filters=filters_of(dataset, asked),
        rows=[shown(row) for row in found.rows],
        total=found.total,
        where=f"{number(first + 1)} to {number(first + len(found.rows))} of {number(found.total)}",
        newer=here + asked.query(page=asked.page - 1) if asked.page else "",
        older=here + asked.query(page=asked.page + 1) if first + PAGE < found.total else "",
        exports=export_links(dataset, asked) if exports else (),
        fix=fix,
        hint=f"manage.py quarantine {dataset.name} --fix FILE",
        empty="No row in quarantine fits these filters." if asked.version or asked.reason else Quarantine.empty,
    )


def export_links(dataset: Dataset, asked: Wanted) -> list[tuple[str, str]]:
    """Return words and address of each form the rows can be taken away in."""
    here = address_of(dataset, "quarantine_export")
    return [(words, here + asked.query(format=kind, page=None, state=None)) for kind, (words, _) in EXPORTS.items()]


def exported(dataset: Dataset, asked: Wanted, kind: str) -> StreamingHttpResponse:
    """Return the open rows as a file that can be mended and brought back, row by row as they are read."""
    rows = all_quarantined(dataset, version=asked.version, reason=asked.reason)
    columns = [column.name for column in dataset.columns()]
    lines = csv_lines(rows, columns) if kind == "csv" else json_lines(rows)
    name = f"{dataset.name}-refused.{kind}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return StreamingHttpResponse(lines, content_type=EXPORTS[kind][1], headers=headers)


def may_export(dataset: Dataset, request: HttpRequest) -> bool:
    """Tell whether this person may take the rows away: they hold all values, those about people too."""
    return is_admin(request) or not any(column.pii for column in dataset.columns())


def reasons_table(dataset: Dataset) -> Table:
    """Return how many rows were refused for each reason, with the way to them."""
    here = address_of(dataset)
    rows = [
        (mono(reason), number(count), anchor(here + Wanted(reason=reason).query(), "Show the rows"))
        for reason, count in counted(dataset)
    ]
    note = "Refused rows are kept whole. Mend them in an export, then: " if rows else ""
    return Table(
        title="Quarantine",
        note=f"{note}manage.py quarantine {dataset.name} --fix FILE" if rows else "",
        headers=("Reason", "Rows", ""),
        rows=[*rows, ("all", number(open_quarantine(dataset)), anchor(here, "Browse"))] if rows else (),
        empty="No row was ever refused.",
    )


def counted(dataset: Dataset, version: int | None = None) -> list[tuple[str, int]]:
    """Return how many rows were refused for each reason, the most frequent first."""
    refused = dataset.versions.filter(rows_rejected__gt=0)
    counts: Counter[str] = Counter()
    for reasons in refused.filter(number=version or F("number")).values_list("reasons", flat=True):
        counts.update(reasons)
    return counts.most_common()


def filters_of(dataset: Dataset, asked: Wanted) -> list[Choice]:
    """Return the versions and the reasons there are."""
    refused = dataset.versions.filter(rows_rejected__gt=0).order_by("-number")
    numbers = [str(version) for version in refused.values_list("number", flat=True)[:MOST_VERSIONS]]
    reasons = [(reason, f"{reason} ({number(count)})") for reason, count in counted(dataset, asked.version)]
    versions = [(version, f"version {version}") for version in numbers]
    return [
        Choice(name="version", label="Version", choices=[("", "all"), *versions], chosen=str(asked.version or "")),
        Choice(name="state", label="State", choices=[("", "open"), (ALL, "all")], chosen=asked.state),
        Choice(name="reason", label="Reason", choices=[("", "all"), *reasons], chosen=asked.reason or ""),
    ]


def shown(row: QuarantinedRow) -> dict[str, Any]:
    """Return a refused row as the page shows it."""
    raw = json.dumps(row.values, ensure_ascii=False, default=str) if row.values is not None else row.text
    return {
        "version": row.version,
        "row": row.row,
        "state": f"mended in version {row.fixed_in}" if row.fixed_in else "open",
        "reasons": row.reasons,
        "raw": raw if len(raw) <= SHOWN else f"{raw[:SHOWN]}…",
        "rest": raw[:UNFOLDED] if len(raw) > SHOWN else "",
    }
