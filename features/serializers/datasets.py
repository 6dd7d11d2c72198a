"""What the data and features API answers with."""

from typing import Any

from rest_framework import serializers

from features.models import ColumnProfile, ContractVersion, Dataset, DatasetVersion, FeatureSnapshot, FeatureView


class DatasetVersionSerializer(serializers.ModelSerializer[DatasetVersion]):
    """One version of a dataset in a list."""

    version = serializers.IntegerField(source="number")

    class Meta:
        model = DatasetVersion
        fields = (
            "version", "mode", "rows_valid", "rows_rejected", "rows_replaced", "rows_total", "reasons", "warnings",
            "contract_number", "first_event_at", "last_event_at", "fingerprint", "source", "actor", "pruned_at",
            "created_at",
        )  # fmt: skip


class ProfileSerializer(serializers.ModelSerializer[ColumnProfile]):
    """What one column held in one version."""

    class Meta:
        model = ColumnProfile
        fields = (
            "column", "dtype", "rows", "missing", "distinct", "minimum", "maximum", "mean", "deviation", "quantiles",
            "histogram",
        )  # fmt: skip


class DatasetVersionDetailSerializer(DatasetVersionSerializer):
    """One version of a dataset, with the profile of each column."""

    dataset = serializers.CharField(source="dataset.name")
    fixed = serializers.IntegerField(source="fixes.count", help_text="Refused rows that came back mended.")
    profile = ProfileSerializer(source="profiles", many=True)

    class Meta(DatasetVersionSerializer.Meta):
        fields = ("dataset", *DatasetVersionSerializer.Meta.fields, "fixed", "profile")  # type: ignore[assignment]  # more of the same


class ContractSerializer(serializers.ModelSerializer[ContractVersion]):
    """A contract: who wrote it, and whether a person has approved it."""

    class Meta:
        model = ContractVersion
        fields = ("number", "state", "changes", "reason", "actor", "approved_by", "approved_at", "created_at")


class DatasetSerializer(serializers.ModelSerializer[Dataset]):
    """A dataset and its newest version; needs `with_newest`."""

    version = serializers.IntegerField(source="newest_number", allow_null=True)
    rows = serializers.IntegerField(source="newest_rows", allow_null=True)
    last_event_at = serializers.DateTimeField(source="newest_event_at", allow_null=True)
    open_quarantine = serializers.IntegerField(help_text="Refused rows that have not come back mended.")

    class Meta:
        model = Dataset
        fields = (
            "name", "description", "version", "rows", "last_event_at", "open_quarantine", "contract_number",
            "entity_columns", "timestamp_column", "known_at_column", "target_column", "created_at",
        )  # fmt: skip


class DatasetDetailSerializer(DatasetSerializer):
    """A dataset with its contract in force and the views on it."""

    columns = serializers.SerializerMethodField()
    contract = serializers.SerializerMethodField()
    views = serializers.SerializerMethodField()

    class Meta(DatasetSerializer.Meta):
        fields = (  # type: ignore[assignment]  # more of the same
            *DatasetSerializer.Meta.fields, "timezone", "rules", "quality_policy", "partition_by", "keep_days",
            "columns", "contract", "views",
        )  # fmt: skip

    def get_columns(self, obj: Dataset) -> list[dict[str, Any]]:
        return [column.as_dict() for column in obj.columns()]

    def get_contract(self, obj: Dataset) -> dict[str, Any] | None:
        contract = obj.contracts.filter(number=obj.contract_number).first()
        return dict(ContractSerializer(contract).data) if contract else None

    def get_views(self, obj: Dataset) -> list[str]:
        return sorted(set(obj.views.values_list("name", flat=True)))


class LiveSnapshotSerializer(serializers.ModelSerializer[FeatureSnapshot]):
    """The snapshot that a view's online values are read from."""

    class Meta:
        model = FeatureSnapshot
        fields = ("id", "rows", "as_of", "created_at")


class ViewSerializer(serializers.ModelSerializer[FeatureView]):
    """The newest version of a feature view."""

    dataset = serializers.CharField(source="dataset.name")
    live_snapshot = LiveSnapshotSerializer(allow_null=True)

    class Meta:
        model = FeatureView
        fields = (
            "name", "version", "dataset", "entity_columns", "aggregations", "derived", "tests", "ttl_seconds",
            "description", "owner", "definition_digest", "live_snapshot", "created_at",
        )  # fmt: skip


class ViewDetailSerializer(ViewSerializer):
    """A version of a feature view, and which others there are."""

    versions = serializers.SerializerMethodField()

    class Meta(ViewSerializer.Meta):
        fields = (*ViewSerializer.Meta.fields, "versions")  # type: ignore[assignment]  # more of the same

    def get_versions(self, obj: FeatureView) -> list[int]:
        return list(FeatureView.objects.filter(name=obj.name).order_by("-version").values_list("version", flat=True))


class SnapshotSerializer(serializers.ModelSerializer[FeatureSnapshot]):
    """A frozen set of feature values."""

    dataset = serializers.CharField(source="dataset_version.dataset.name")
    version = serializers.IntegerField(source="dataset_version.number")

    class Meta:
        model = FeatureSnapshot
        fields = ("id", "name", "kind", "dataset", "version", "as_of", "rows", "fingerprint", "actor", "created_at")


class SnapshotDetailSerializer(SnapshotSerializer):
    """A snapshot with its columns, what it was made of, and what was trained on it."""

    views: Any = serializers.SlugRelatedField("name", many=True, read_only=True)
    sources: Any = serializers.StringRelatedField(many=True)
    model_versions: Any = serializers.StringRelatedField(many=True)

    class Meta(SnapshotSerializer.Meta):
        fields = (  # type: ignore[assignment]  # more of the same
            *SnapshotSerializer.Meta.fields, "columns", "views", "sources", "model_versions", "leakage",
        )  # fmt: skip
