"""Datasets and their versions in the console."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from features.admin.panels import (
    SHOWN,
    columns_table,
    dataset_facts,
    schema_columns,
    snapshots_table,
    versions_table,
    views_table,
)
from features.ground.console import ReadOnlyAdmin, ago, link, mono, number
from features.ground.panels import Facts, Panel, Table
from features.ground.unfold import RelatedDropdownFilter, display
from features.models import Dataset, DatasetVersion, FeatureSnapshot


@admin.register(Dataset)
class DatasetAdmin(ReadOnlyAdmin):
    """Datasets."""

    next_command = "manage.py ingest DATASET FILE"
    list_display = ("name", "versions_made", "rows_now", "target_column", "timestamp_column", "made")
    search_fields = ("name", "description", "target_column")

    def versions_made(self, obj: Dataset) -> int:
        return obj.versions.count()

    @display(description="Rows")
    def rows_now(self, obj: Dataset) -> str:
        newest = obj.versions.order_by("-number").first()
        return number(newest.rows_total if newest else None)

    @display(description="Made", ordering="created_at")
    def made(self, obj: Dataset) -> Any:
        return ago(obj.created_at)

    def panels(self, obj: Dataset, request: HttpRequest) -> Sequence[Panel]:
        """Show the newest state, versions with what was quarantined, the schema and what is built on it."""
        versions = list(obj.versions.order_by("-number")[:SHOWN])
        return (
            Facts(title="Now", wide=True, note=obj.description, pairs=dataset_facts(obj, versions)),
            versions_table(versions),
            columns_table("Schema", schema_columns(obj)),
            views_table(obj.views.order_by("name", "-version")[:SHOWN]),
            snapshots_table(FeatureSnapshot.objects.filter(dataset_version__dataset=obj)[:SHOWN]),
        )


@admin.register(DatasetVersion)
class DatasetVersionAdmin(ReadOnlyAdmin):
    """Dataset versions."""

    next_command = "manage.py ingest DATASET FILE"
    list_display = ("__str__", "rows_valid", "rows_rejected", "rows_total", "last_event_at", "source", "actor", "made")
    list_filter = (("dataset", RelatedDropdownFilter),)
    list_select_related = ("dataset",)
    search_fields = ("dataset__name", "fingerprint", "source")
    date_hierarchy = "created_at"

    @display(description="Made", ordering="created_at")
    def made(self, obj: DatasetVersion) -> Any:
        return ago(obj.created_at)

    def panels(self, obj: DatasetVersion, request: HttpRequest) -> Sequence[Panel]:
        """Show what came in, why rows were refused, and what was built on it."""
        rows = [(mono(reason), number(count)) for reason, count in sorted(obj.reasons.items(), key=lambda r: -r[1])]
        facts = [
            ("Dataset", link(obj.dataset)),
            ("Rows added", number(obj.rows_valid)),
            ("Quarantined", number(obj.rows_rejected)),
            ("Rows in the table", number(obj.rows_total)),
            ("Events", f"{obj.first_event_at or '–'} to {obj.last_event_at or '–'}"),
            ("Source", obj.source),
            ("Fingerprint", mono(obj.fingerprint, 16)),
            ("Delta version", obj.delta_version),
            ("Made", ago(obj.created_at)),
            ("By", obj.actor),
        ]
        empty = "No row was refused."
        return (
            Facts(title="What came in", wide=True, pairs=facts),
            Table(title="Quarantined rows by reason", headers=("Reason", "Rows"), rows=rows, empty=empty),
            snapshots_table(obj.snapshots.all()[:SHOWN], "Snapshots taken from it"),
        )
