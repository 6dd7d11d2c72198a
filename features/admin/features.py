"""Feature views, snapshots and online values in the console."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from features.adapters.online import stored_values
from features.admin.filters import MaterializedFilter
from features.admin.lineage import snapshot_lineage
from features.admin.panels import SHOWN, columns_table
from features.admin.view_pages import view_panels
from features.ground.console import ReadOnlyAdmin, ago, anchor, link, list_of, mono, number
from features.ground.panels import Facts, Panel, Table
from features.ground.unfold import ChoicesDropdownFilter, RangeDateTimeFilter, RelatedDropdownFilter, badge, display
from features.models import FeatureSnapshot, FeatureView, OnlineFeature


@admin.register(FeatureView)
class FeatureViewAdmin(ReadOnlyAdmin):
    """Feature views."""

    next_command = "manage.py features apply VIEW.yaml"
    list_display = ("__str__", "dataset", "entity", "features", "live_snapshot", "freshness", "owner", "made")
    list_filter = (("dataset", RelatedDropdownFilter), MaterializedFilter, ("created_at", RangeDateTimeFilter))
    list_select_related = ("dataset", "live_snapshot")
    search_fields = ("name", "description", "owner")

    @display(description="Entity")
    def entity(self, obj: FeatureView) -> str:
        return ", ".join(obj.entity_columns) or "–"

    @display(description="Features")
    def features(self, obj: FeatureView) -> int:
        return len(obj.feature_names)

    @display(description="Online values made", ordering="live_snapshot__created_at")
    def freshness(self, obj: FeatureView) -> Any:
        return ago(obj.live_snapshot.created_at) if obj.live_snapshot else "–"

    @display(description="Made", ordering="created_at")
    def made(self, obj: FeatureView) -> Any:
        return ago(obj.created_at)

    def panels(self, obj: FeatureView, request: HttpRequest) -> Sequence[Panel]:
        """Show how fresh its values are, the features it defines, a few values and where they come from."""
        return view_panels(obj)


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
            snapshot_lineage(obj),
            Table(title="Trained on it", headers=("Model version", "Stage", "Estimator"), rows=trained),
            Table(title="Built from", headers=("Dataset version", "Source"), rows=sources),
            leakage_table(obj),
            columns_table("Columns", obj.columns),
        )


def leakage_table(obj: FeatureSnapshot) -> Table:
    """Return what the leakage check found, and who took responsibility for what would have stopped it."""
    rows = [
        (
            mono(finding.get("name", "–")),
            finding_state(finding),
            finding.get("text") or "–",
            finding.get("reason") or "–",
            finding.get("by") or "–",
        )
        for finding in obj.leakage.get("findings", ())
    ]
    trained = obj.kind == FeatureSnapshot.Kind.TRAINING
    empty = "Nothing was found." if trained else "Online values are not checked for it."
    headers = ("Finding", "State", "What", "Accepted because", "By")
    return Table(title="Leakage check", headers=headers, rows=rows, empty=empty, wide=True)


def finding_state(finding: Mapping[str, Any]) -> Any:
    """Return whether a finding was accepted, or is only told."""
    if finding.get("accepted"):
        return badge("accepted", "warning")
    return badge(str(finding.get("severity", "note")), "danger" if finding.get("severity") == "stop" else "")


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
