"""A dataset's contract: its columns, its rules, and how it came to be as it is."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.html import format_html_join

from features.admin.panels import allowed, schema_columns
from features.core.schema import MAX_COLUMNS
from features.ground.console import ago, mono, number
from features.ground.errors import bounded
from features.ground.panels import Table
from features.ground.unfold import badge
from features.models import Dataset

HEADERS = ("Column", "Type", "Role", "Missing", "Allowed", "Pattern", "Unique", "Personal", "About")
ALWAYS = 5
STATE_KINDS = {"approved": "success", "proposed": "warning"}
EDITS = 30


def contract_table(dataset: Dataset) -> Table:
    """Return what each column may hold."""
    return columns_of(schema_columns(dataset))


def columns_of(columns: Sequence[Mapping[str, Any]]) -> Table:
    """Return what each of these columns may hold."""
    rows = [column_row(column) for column in columns]
    # What no column says is left out.
    said = [place for place in range(len(HEADERS)) if place < ALWAYS or any(row[place] != "–" for row in rows)]
    rows = [[row[place] for place in said] for row in rows]
    headers = [HEADERS[place] for place in said]
    return Table(title="Columns", headers=headers, rows=rows, wide=True, empty="No columns yet.")


def column_row(column: Mapping[str, Any]) -> Sequence[Any]:
    """Return one column's row."""
    return (
        mono(column.get("name", "")),
        column.get("dtype", "–"),
        column.get("role") or "–",
        "may be missing" if column.get("nullable") else "required",
        allowed(dict(column)),
        mono(column["pattern"]) if column.get("pattern") else "–",
        "yes" if column.get("unique") else "–",
        badge("personal", "danger") if column.get("pii") else "–",
        " ".join(filter(None, (column.get("description"), column.get("unit") and f"({column['unit']})"))) or "–",
    )


def report_table(dataset: Dataset) -> Table:
    """Return what the contract in force was inferred from; empty where a person wrote it."""
    contract = dataset.contracts.filter(number=dataset.contract_number).first()
    report = contract.report if contract else {}
    rows = [
        (
            mono(column.get("name", "")),
            column.get("dtype", "–"),
            number(column.get("missing")),
            column.get("why") or "–",
            badge("personal?", "warning") if column.get("looks_personal") else "–",
        )
        for column in report.get("columns", ())[:MAX_COLUMNS]
    ]
    note = f"From {number(report.get('rows'))} rows. Is each column what it seems to be?" if rows else ""
    empty = "Nothing is known of how it came to be: see the columns on the page."
    headers = ("Column", "Type", "Missing", "Why this type", "Values")
    return Table(title="Inferred from the first rows", note=note, headers=headers, rows=rows, wide=True, empty=empty)


def rules_table(dataset: Dataset) -> Table:
    """Return the rules of the dataset as a whole."""
    rows = [(name.replace("_", " "), words(value)) for name, value in dataset.rules.items()]
    empty = "None: rows are checked one by one."
    return Table(title="Rules of the whole", headers=("Rule", "Value"), rows=rows, empty=empty)


def words(value: Any) -> str:
    """Return a stored value as text."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name.replace('_', ' ')} {words(item)}" for name, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(words, value)) or "none"
    return number(value)


def history_table(dataset: Dataset) -> Table:
    """Return the contracts there have been, the newest first."""
    rows = [
        (
            contract.number,
            badge(contract.state, STATE_KINDS.get(contract.state, "")),
            changes_text(contract.changes),
            contract.reason or "–",
            contract.actor,
            contract.approved_by or "–",
            ago(contract.created_at),
        )
        for contract in dataset.contracts.order_by("-number")[:EDITS]
    ]
    headers = ("Number", "State", "Changed", "Why", "By", "Approved by", "When")
    return Table(title="Contract history", headers=headers, rows=rows, wide=True, empty="No edit is recorded.")


def changes_text(changes: Sequence[Any]) -> Any:
    """Return what an edit changed, one line a path."""
    lines = [
        f"{change.get('path')}: {bounded(words(change.get('before')), 80)} → {bounded(words(change.get('after')), 80)}"
        if isinstance(change, Mapping)
        else bounded(change)
        for change in changes[:20]
    ]
    lines += [f"and {len(changes) - 20} more"] if len(changes) > 20 else []
    return format_html_join("", "<div>{}</div>", ((line,) for line in lines)) or "–"
