"""Feature views, snapshots and the online store."""

from typing import Any

from django.db import models
from django.db.models import Q

from features.core.windows import ViewDefinition, parse_view
from features.errors import UnknownFeatureViewError
from features.ground.errors import bounded
from features.models.datasets import Dataset, DatasetVersion
from features.models.names import split_spec


class FeatureViewQuerySet(models.QuerySet["FeatureView"]):
    def resolve(self, spec: str) -> "FeatureView":
        """Return the view `NAME@N` names, or the newest version of `NAME`."""
        name, number = split_spec(spec)
        views = self.filter(name=name).select_related("dataset", "live_snapshot").order_by("-version")
        found = views.first() if number is None else views.filter(version=number).first()
        if found is None:
            text = f"no feature view is named {bounded(repr(spec))}; `features list` shows them"
            raise UnknownFeatureViewError(text, view=spec)
        return found

    def newest(self) -> "models.QuerySet[FeatureView]":
        """Return the newest version of each view."""
        later = FeatureView.objects.filter(name=models.OuterRef("name"), version__gt=models.OuterRef("version"))
        return self.select_related("dataset", "live_snapshot").filter(~models.Exists(later)).order_by("name")


class FeatureView(models.Model):
    """Window aggregations of a dataset by entity, in one versioned definition."""

    name = models.SlugField(max_length=100)
    version = models.PositiveIntegerField(default=1)
    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, related_name="views")
    entity_columns = models.JSONField(default=list)
    aggregations = models.JSONField(default=list, help_text="name, column, function, window of each feature.")
    derived = models.JSONField(default=list, blank=True, help_text="name and expression of features made of features.")
    tests = models.JSONField(default=list, blank=True, help_text="What its values must meet, each time they are made.")
    ttl_seconds = models.PositiveBigIntegerField(
        null=True, blank=True, help_text="Online values older than this are expired."
    )
    definition_digest = models.CharField(max_length=64)
    description = models.TextField(blank=True)
    owner = models.CharField(max_length=150, blank=True)
    live_snapshot = models.ForeignKey(
        "FeatureSnapshot", on_delete=models.SET_NULL, null=True, blank=True, related_name="live_in"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = FeatureViewQuerySet.as_manager()

    class Meta:
        ordering = ("name", "-version")
        constraints = (models.UniqueConstraint(fields=("name", "version"), name="feature_view_version"),)

    def __str__(self) -> str:
        return f"{self.name} v{self.version}"

    @property
    def feature_names(self) -> list[str]:
        """Return the names of its features, the derived ones last."""
        return [feature["name"] for feature in (*self.aggregations, *self.derived)]

    def definition(self) -> ViewDefinition:
        """Return what was declared."""
        body: dict[str, Any] = {"name": self.name, "dataset": self.dataset.name, "entity": self.entity_columns}
        body |= {"features": self.aggregations, "ttl": f"{self.ttl_seconds}s" if self.ttl_seconds else None}
        body |= {"derived": self.derived, "tests": self.tests, "description": self.description, "owner": self.owner}
        return parse_view(body)


class FeatureSnapshot(models.Model):
    """A frozen set of feature values; immutable, named by its content."""

    class Kind(models.TextChoices):
        TRAINING = "training", "training"
        ONLINE = "online", "online"

    name = models.CharField(max_length=150)
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.TRAINING)
    dataset_version = models.ForeignKey(DatasetVersion, on_delete=models.PROTECT, related_name="snapshots")
    sources = models.ManyToManyField(DatasetVersion, related_name="used_by_snapshots", blank=True)
    views = models.ManyToManyField(FeatureView, related_name="snapshots", blank=True)
    as_of = models.DateTimeField(null=True, blank=True)
    path = models.CharField(
        max_length=300, blank=True, help_text="Below the run-time folder; empty for online snapshots."
    )
    fingerprint = models.CharField(max_length=64, help_text="sha256 of the rows and columns.")
    rows = models.PositiveBigIntegerField()
    columns = models.JSONField(default=list, help_text="name, dtype, role of each column.")
    question = models.CharField(max_length=64, blank=True, help_text="sha256 of what was asked: inputs, not rows.")
    leakage = models.JSONField(default=dict, blank=True, help_text="Findings of the leakage check, accepted or not.")
    watermark = models.JSONField(default=dict, blank=True, help_text="Of online values: what they have seen so far.")
    actor = models.CharField(max_length=150, default="system")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-created_at",)
        constraints = (
            models.UniqueConstraint(
                fields=("name", "fingerprint"), condition=Q(kind="training"), name="training_snapshot_content"
            ),
            models.CheckConstraint(condition=Q(kind__in=("training", "online")), name="snapshot_kind"),
        )

    def __str__(self) -> str:
        return f"{self.name} ({self.fingerprint[:8]})"


class OnlineFeature(models.Model):
    """The newest values of one entity in one online snapshot, packed; written and read in bulk."""

    # The constraint's index begins with the snapshot: one of its own would only be written besides.
    snapshot = models.ForeignKey(FeatureSnapshot, on_delete=models.CASCADE, related_name="online", db_index=False)
    entity_key = models.CharField(max_length=300)
    packed = models.BinaryField(help_text="As features/core/packed.py says.")

    class Meta:
        constraints = (models.UniqueConstraint(fields=("snapshot", "entity_key"), name="online_feature_entity"),)

    def __str__(self) -> str:
        return self.entity_key
