"""What the pages of the data show."""

from collections.abc import Sequence
from typing import Any

from features.ground.console import ago, link, mono, number
from features.ground.panels import Table
from features.models import Dataset

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


def views_table(views: Any) -> Table:
    """Return the panel of feature views."""
    rows = [(link(v), ", ".join(v.entity_columns), len(v.aggregations), link(v.live_snapshot)) for v in views]
    return Table(title="Feature views", headers=("View", "Entity", "Features", "Live online snapshot"), rows=rows)


def snapshots_table(snapshots: Any, title: str = "Snapshots") -> Table:
    """Return the panel of snapshots."""
    rows = [(link(s), s.get_kind_display(), number(s.rows), ago(s.created_at)) for s in snapshots]
    return Table(title=title, headers=("Snapshot", "Kind", "Rows", "Made"), rows=rows)
