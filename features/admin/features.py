"""Feature views, snapshots and online values in the console."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from features.adapters.online import stored_values
from features.admin.panels import SHOWN, columns_table, snapshots_table
from features.ground.console import ReadOnlyAdmin, ago, anchor, link, list_of, mono, number
from features.ground.panels import Facts, Panel, Table
from features.ground.unfold import ChoicesDropdownFilter, RelatedDropdownFilter, display
from features.models import FeatureSnapshot, FeatureView, OnlineFeature


@admin.register(FeatureView)
class FeatureViewAdmin(ReadOnlyAdmin):
    """Feature views."""

    list_display = ("__str__", "dataset", "entity_columns", "features", "live_snapshot", "owner")
    list_filter = (("dataset", RelatedDropdownFilter),)
    list_select_related = ("dataset", "live_snapshot")
    search_fields = ("name", "description", "owner")

    @display(description="Features")
    def features(self, obj: FeatureView) -> int:
        return len(obj.feature_names)

    def panels(self, obj: FeatureView, request: HttpRequest) -> Sequence[Panel]:
        """Show the features it defines and where their online values come from."""
        facts = [
            ("Dataset", link(obj.dataset)),
            ("Entity", ", ".join(obj.entity_columns) or "–"),
            ("Live online snapshot", link(obj.live_snapshot)),
            ("Online values expire after", f"{number(obj.ttl_seconds)} s" if obj.ttl_seconds else "never"),
            ("Owner", obj.owner or "–"),
            ("Definition", mono(obj.definition_digest, 16)),
        ]
        keys = ("name", "function", "column", "window")
        rows = [[feature.get(key) or "–" for key in keys] for feature in obj.aggregations]
        rows += [[one["name"], one["expression"], "–", "–"] for one in obj.derived]
        headers = ("Feature", "Function", "Column", "Window")
        return (
            Facts(title="View", wide=True, note=obj.description, pairs=facts),
            Table(title="Features", headers=headers, rows=rows),
            snapshots_table(obj.snapshots.all()[:SHOWN]),
        )


@admin.register(FeatureSnapshot)
class FeatureSnapshotAdmin(ReadOnlyAdmin):
    """Feature snapshots."""

    next_command = "manage.py snapshot NAME --dataset DATASET"
    list_display = ("__str__", "kind", "dataset_version", "rows", "as_of", "actor", "made")
    list_filter = (("kind", ChoicesDropdownFilter), ("dataset_version__dataset", RelatedDropdownFilter))
    list_select_related = ("dataset_version__dataset",)
    search_fields = ("name", "fingerprint")
    date_hierarchy = "created_at"

    @display(description="Made", ordering="created_at")
    def made(self, obj: FeatureSnapshot) -> Any:
        return ago(obj.created_at)

    def panels(self, obj: FeatureSnapshot, request: HttpRequest) -> Sequence[Panel]:
        """Show where the values came from and which versions were trained on them."""
        online = anchor(list_of("features_onlinefeature", snapshot__id__exact=obj.pk), "Online values")
        facts = [
            ("Kind", obj.get_kind_display()),
            ("Rows", number(obj.rows)),
            ("Dataset version", link(obj.dataset_version)),
            ("As of", obj.as_of or "each label's own time"),
            ("Views", ", ".join(map(str, obj.views.all())) or "none: the dataset's own columns"),
            ("Fingerprint", mono(obj.fingerprint, 16)),
            ("File", mono(obj.path) if obj.path else online),
            ("Made", ago(obj.created_at)),
            ("By", obj.actor),
        ]
        trained = [(link(version), version.stage, version.estimator) for version in obj.model_versions.all()[:SHOWN]]
        sources = [(link(source), source.source) for source in obj.sources.select_related("dataset")[:SHOWN]]
        return (
            Facts(title="Snapshot", wide=True, pairs=facts),
            Table(title="Trained on it", headers=("Model version", "Stage", "Estimator"), rows=trained),
            Table(title="Built from", headers=("Dataset version", "Source"), rows=sources),
            columns_table("Columns", obj.columns),
        )


@admin.register(OnlineFeature)
class OnlineFeatureAdmin(ReadOnlyAdmin):
    """Online feature values."""

    next_command = "manage.py materialize VIEW"
    list_display = ("entity_key", "snapshot", "event")
    list_filter = (("snapshot", RelatedDropdownFilter),)
    list_select_related = ("snapshot",)
    search_fields = ("entity_key__startswith",)
    ordering = ("-id",)

    @display(description="Newest row")
    def event(self, obj: OnlineFeature) -> Any:
        return ago(stored_values(obj)[0])

    def panels(self, obj: OnlineFeature, request: HttpRequest) -> Sequence[Panel]:
        """Show the values."""
        event_at, values = stored_values(obj)
        rows = [(mono(name), number(value)) for name, value in values.items()]
        facts = [("Entity", obj.entity_key), ("Snapshot", link(obj.snapshot)), ("Newest row", ago(event_at))]
        return (
            Facts(title="Online values", pairs=facts),
            Table(title="Values", headers=("Feature", "Value"), rows=rows),
        )
