"""Datasets, their versions, feature views, snapshots and the online store."""

from typing import Any

from django.db import models
from django.db.models import Q

from features.core.schema import Column, Dtype, parse_columns
from features.core.windows import ViewDefinition, parse_view
from features.errors import UnknownDatasetError, UnknownDatasetVersionError, UnknownFeatureViewError
from features.ground.errors import bounded


def _split(spec: str) -> tuple[str, int | None]:
    name, at, number = spec.partition("@")
    return name, int(number) if number.isdecimal() and len(number) < 10 else (-1 if at else None)


class DatasetQuerySet(models.QuerySet["Dataset"]):
    def named(self, name: str) -> "Dataset":
        """Return the dataset of this name."""
        found = self.filter(name=name).first()
        if found is None:
            raise UnknownDatasetError(f"no dataset is named {bounded(repr(name))}; `datasets` lists them", dataset=name)
        return found


class DatasetVersionQuerySet(models.QuerySet["DatasetVersion"]):
    def resolve(self, spec: str) -> "DatasetVersion":
        """Return the version `NAME@N` names, or the newest of `NAME`."""
        name, number = _split(spec)
        dataset = Dataset.objects.named(name)
        versions = self.filter(dataset=dataset).select_related("dataset").order_by("-number")
        found = versions.first() if number is None else versions.filter(number=number).first()
        if found is None:
            newest = versions.first()
            there = f"its versions are 1 to {newest.number}" if newest else "it has no version yet"
            raise UnknownDatasetVersionError(
                f"dataset {name!r} has no version {bounded(spec)!r}; {there}", dataset=name
            )
        return found


class FeatureViewQuerySet(models.QuerySet["FeatureView"]):
    def resolve(self, spec: str) -> "FeatureView":
        """Return the view `NAME@N` names, or the newest version of `NAME`."""
        name, number = _split(spec)
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


class Dataset(models.Model):
    """A named table that grows, and the contract its rows must meet."""

    name = models.SlugField(max_length=100, unique=True)
    description = models.TextField(blank=True, help_text="What the rows are, for a person.")
    schema = models.JSONField(default=dict, help_text="Columns: name, dtype, nullable, min, max, allowed, role.")
    entity_columns = models.JSONField(default=list, blank=True)
    timestamp_column = models.CharField(max_length=200, blank=True)
    known_at_column = models.CharField(max_length=200, blank=True)
    target_column = models.CharField(max_length=200, blank=True)
    quality_policy = models.JSONField(default=dict, blank=True, help_text="max_rejected: share of faulty rows allowed.")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = DatasetQuerySet.as_manager()

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    def columns(self) -> tuple[Column, ...]:
        """Return the contract's columns."""
        return parse_columns(self.schema)

    def dtypes(self) -> dict[str, Dtype]:
        """Return the dtype of each column."""
        return {column.name: column.dtype for column in self.columns()}


class DatasetVersion(models.Model):
    """What one ingestion added; its number names the table as it was after it."""

    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    delta_version = models.PositiveBigIntegerField(help_text="Version of the dataset's Delta table.")
    fingerprint = models.CharField(max_length=64, help_text="sha256 of the ingested bytes and how they were read.")
    rows_valid = models.PositiveBigIntegerField()
    rows_rejected = models.PositiveBigIntegerField(default=0)
    rows_total = models.PositiveBigIntegerField(help_text="Rows of the table at this version.")
    reasons = models.JSONField(default=dict, blank=True, help_text="Rejected rows by reason code.")
    first_event_at = models.DateTimeField(null=True, blank=True)
    last_event_at = models.DateTimeField(null=True, blank=True)
    source = models.CharField(max_length=300)
    actor = models.CharField(max_length=150, default="system")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = DatasetVersionQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at", "-number")
        constraints = (
            models.UniqueConstraint(fields=("dataset", "number"), name="dataset_version_number"),
            models.UniqueConstraint(fields=("dataset", "fingerprint"), name="dataset_version_fingerprint"),
        )

    def __str__(self) -> str:
        return f"{self.dataset.name}@{self.number}"


class FeatureView(models.Model):
    """Window aggregations of a dataset by entity, in one versioned definition."""

    name = models.SlugField(max_length=100)
    version = models.PositiveIntegerField(default=1)
    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, related_name="views")
    entity_columns = models.JSONField(default=list)
    aggregations = models.JSONField(default=list, help_text="name, column, function, window of each feature.")
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

    def definition(self) -> ViewDefinition:
        """Return what was declared."""
        body: dict[str, Any] = {"name": self.name, "dataset": self.dataset.name, "entity": self.entity_columns}
        body |= {"features": self.aggregations, "ttl": f"{self.ttl_seconds}s" if self.ttl_seconds else None}
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
    """The newest values of one entity in one online snapshot."""

    snapshot = models.ForeignKey(FeatureSnapshot, on_delete=models.CASCADE, related_name="online")
    entity_key = models.CharField(max_length=300)
    values = models.JSONField(default=dict)
    event_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("snapshot", "entity_key"), name="online_feature_entity"),)

    def __str__(self) -> str:
        return self.entity_key
