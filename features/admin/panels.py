"""What the pages of the data show."""

from collections.abc import Sequence
from typing import Any

from features.ground.console import ago, link, mono, number
from features.ground.panels import Table
from features.models import Dataset, DatasetVersion

SHOWN = 50


def columns_table(title: str, columns: Sequence[dict[str, Any]]) -> Table:
    """Return the panel that describes columns."""
    rows = [
        (
            mono(column.get("name", "")),
            column.get("dtype", "–"),
            column.get("role") or "–",
            "may be missing" if column.get("nullable") else "required",
            allowed(column),
        )
        for column in columns
    ]
    return Table(title=title, headers=("Column", "Type", "Role", "Missing", "Allowed"), rows=rows, wide=True)


def allowed(column: dict[str, Any]) -> str:
    """Return a column's range or list of values in words."""
    if values := column.get("allowed"):
        shown = ", ".join(map(str, values[:8]))
        return f"{shown}, … ({len(values)} values)" if len(values) > 8 else shown
    low, high = column.get("min"), column.get("max")
    if low is None and high is None:
        return "anything"
    return f"{number(low) if low is not None else '−∞'} to {number(high) if high is not None else '∞'}"


def schema_columns(dataset: Dataset) -> Sequence[dict[str, Any]]:
    """Return a dataset's columns, however its schema wraps them."""
    schema = dataset.schema
    return schema.get("columns", []) if isinstance(schema, dict) else schema


def reasons_text(reasons: dict[str, int]) -> str:
    """Return counts by reason, the most frequent first."""
    ordered = sorted(reasons.items(), key=lambda item: -item[1])
    return ", ".join(f"{reason} × {number(count)}" for reason, count in ordered) or "–"


def dataset_facts(obj: Dataset, versions: Sequence[DatasetVersion]) -> list[tuple[str, Any]]:
    """Return what a person wants to know first about a dataset."""
    newest = versions[0] if versions else None
    return [
        ("Newest version", link(newest)),
        ("Rows", number(newest.rows_total if newest else None)),
        ("Target", obj.target_column or "–"),
        ("Time of an event", obj.timestamp_column or "–"),
        ("Known at", obj.known_at_column or "–"),
        ("Entity", ", ".join(obj.entity_columns) or "–"),
        ("Quality policy", obj.quality_policy or "the default share of faulty rows"),
    ]


def versions_table(versions: Sequence[DatasetVersion]) -> Table:
    """Return the panel of a dataset's versions."""
    rows = [
        (link(v), number(v.rows_valid), number(v.rows_rejected), reasons_text(v.reasons), v.source, ago(v.created_at))
        for v in versions
    ]
    headers = ("Version", "Rows added", "Quarantined", "Reasons", "Source", "Made")
    empty = "No rows yet. Next: manage.py ingest DATASET FILE"
    return Table(title="Versions", headers=headers, rows=rows, empty=empty, wide=True)


def views_table(views: Any) -> Table:
    """Return the panel of feature views."""
    rows = [(link(v), ", ".join(v.entity_columns), len(v.aggregations), link(v.live_snapshot)) for v in views]
    return Table(title="Feature views", headers=("View", "Entity", "Features", "Live online snapshot"), rows=rows)


def snapshots_table(snapshots: Any, title: str = "Snapshots") -> Table:
    """Return the panel of snapshots."""
    rows = [(link(s), s.get_kind_display(), number(s.rows), ago(s.created_at)) for s in snapshots]
    return Table(title=title, headers=("Snapshot", "Kind", "Rows", "Made"), rows=rows)
