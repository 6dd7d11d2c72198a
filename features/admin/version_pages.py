"""The versions of a dataset: a row each on its page, and a page each."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.utils.html import format_html_join

from features.admin.panels import SHOWN, reasons_text, snapshots_table
from features.admin.quarantine import Wanted, address_of
from features.ground.console import ago, anchor, link, mono, number
from features.ground.panels import Facts, Panel, Table
from features.ground.unfold import badge
from features.models import DatasetVersion

VERSION_HEADERS = ("Version", "How", "Rows added", "Rows then", "Refused", "Reasons", "Warnings", "Source", "Made")


def versions_table(versions: Sequence[DatasetVersion]) -> Table:
    """Return the panel of a dataset's versions."""
    empty = "No rows yet. Next: manage.py ingest DATASET FILE"
    rows = [version_row(version) for version in versions]
    return Table(title="Versions", headers=VERSION_HEADERS, rows=rows, empty=empty, wide=True)


def version_row(version: DatasetVersion) -> Sequence[Any]:
    """Return a version's row."""
    replaced = f" ({number(version.rows_replaced)} replaced)" if version.rows_replaced else ""
    gone = badge("pruned", "warning") if version.pruned_at else ""
    refused: Any = number(version.rows_rejected)
    if version.rows_rejected:
        query = Wanted(version=version.number).query()
        refused = anchor(address_of(version.dataset) + query, number(version.rows_rejected))
    return (
        format_html_join(" ", "{}", ((part,) for part in (link(version), gone) if part)),
        f"{version.mode}{replaced}",
        number(version.rows_valid),
        number(version.rows_total),
        refused,
        reasons_text(version.reasons),
        warnings_text(version.warnings),
        version.source,
        ago(version.created_at),
    )


def warnings_text(warnings: Sequence[Any]) -> Any:
    """Return the rules a version broke and was let in with."""
    said = [
        str(warning.get("text") or warning.get("rule") or warning) if isinstance(warning, dict) else str(warning)
        for warning in warnings
    ]
    return format_html_join("", "<div>{}</div>", ((text[:200],) for text in said[:10])) or "–"


def version_panels(obj: DatasetVersion) -> list[Panel]:
    """Return a version's page."""
    query = Wanted(version=obj.number)
    here = address_of(obj.dataset)
    rows = [
        (mono(reason), number(count), anchor(here + Wanted(version=obj.number, reason=reason).query(), "Show the rows"))
        for reason, count in sorted(obj.reasons.items(), key=lambda pair: -pair[1])
    ]
    browse = anchor(here + query.query(), "Browse") if obj.rows_rejected else "–"
    facts = [
        ("Dataset", link(obj.dataset)),
        ("How", obj.get_mode_display()),
        ("Rows added", number(obj.rows_valid)),
        ("Rows replaced", number(obj.rows_replaced)),
        ("Rows in the table", number(obj.rows_total)),
        ("Refused", number(obj.rows_rejected)),
        ("Mended since", number(obj.fixes.count())),
        ("Quarantine", browse),
        ("Contract", obj.contract_number),
        ("Events", f"{moment(obj.first_event_at)} to {moment(obj.last_event_at)}"),
        ("Readable", f"no, pruned {moment(obj.pruned_at)}" if obj.pruned_at else "yes"),
        ("Source", obj.source),
        ("Fingerprint", mono(obj.fingerprint, 16)),
        ("Delta version", obj.delta_version),
        ("Made", ago(obj.created_at)),
        ("By", obj.actor),
    ]
    warnings = [(warnings_text([warning]),) for warning in obj.warnings]
    reasons = Table(
        title="Refused rows by reason", headers=("Reason", "Rows", ""), rows=rows, empty="No row was refused."
    )
    rules = "No rule of the dataset was broken."
    return [
        Facts(title="What came in", wide=True, pairs=facts),
        reasons,
        Table(title="Warnings", headers=("Rule",), rows=warnings, empty=rules),
        profile_table(obj),
        snapshots_table(obj.snapshots.all()[:SHOWN], "Snapshots taken from it"),
    ]


def moment(at: datetime | None) -> str:
    """Return a time as people write it."""
    return f"{at:%Y-%m-%d %H:%M} UTC" if at else "–"


def profile_table(obj: DatasetVersion) -> Table:
    """Return what each column held, in numbers."""
    rows = [
        (
            mono(p.column),
            p.dtype,
            number(p.missing),
            number(p.distinct),
            p.minimum,
            p.maximum,
            number(p.mean),
            number(p.deviation),
        )
        for p in obj.profiles.order_by("position")[:500]
    ]
    headers = ("Column", "Type", "Missing", "Distinct", "Min", "Max", "Mean", "Deviation")
    return Table(title="Profile", headers=headers, rows=rows, wide=True, empty="No profile was kept of it.")
