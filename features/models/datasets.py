"""Datasets, their contracts, their versions, and what was refused or seen in each."""

from django.db import models
from django.db.models import Q

from features.core.schema import Column, Dtype, parse_columns
from features.errors import UnknownDatasetError, UnknownDatasetVersionError
from features.ground.errors import bounded
from features.models.names import split_spec


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
        name, number = split_spec(spec)
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


class Dataset(models.Model):
    """A named table that grows, and the contract its rows must meet."""

    class Partition(models.TextChoices):
        DAY = "day", "day"
        MONTH = "month", "month"
        YEAR = "year", "year"

    name = models.SlugField(max_length=100, unique=True)
    description = models.TextField(blank=True, help_text="What the rows are, for a person.")
    schema = models.JSONField(default=dict, help_text="Columns: name, dtype, role, and what their values may be.")
    rules = models.JSONField(default=dict, blank=True, help_text="Rules of the dataset as a whole, by name.")
    timezone = models.CharField(
        max_length=64, blank=True, help_text="Zone of times that name none; empty: such times are refused."
    )
    contract_number = models.PositiveIntegerField(default=1, help_text="Number of the contract in force.")
    partition_by = models.CharField(
        max_length=5, blank=True, choices=Partition, help_text="Span of event time that shares a folder of the table."
    )
    delta_head = models.PositiveBigIntegerField(
        null=True,
        blank=True,
        help_text="Newest accounted version of the Delta table; later are orphans.",
    )
    keep_days = models.PositiveIntegerField(
        null=True, blank=True, help_text="Days an old version stays readable; empty: the installation's."
    )
    entity_columns = models.JSONField(default=list, blank=True)
    timestamp_column = models.CharField(max_length=200, blank=True)
    known_at_column = models.CharField(max_length=200, blank=True)
    target_column = models.CharField(max_length=200, blank=True)
    quality_policy = models.JSONField(
        default=dict, blank=True, help_text="max_rejected, and on_fault: quarantine or fail."
    )
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


class ContractVersion(models.Model):
    """A dataset's contract as it was from one edit to the next; never changed but to be approved."""

    class State(models.TextChoices):
        PROPOSED = "proposed", "proposed"
        APPROVED = "approved", "approved"

    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, related_name="contracts")
    number = models.PositiveIntegerField()
    state = models.CharField(max_length=10, choices=State, default=State.PROPOSED)
    columns = models.JSONField(default=list)
    rules = models.JSONField(default=dict, blank=True)
    quality_policy = models.JSONField(default=dict, blank=True)
    timezone = models.CharField(max_length=64, blank=True)
    changes = models.JSONField(default=list, blank=True, help_text="What this edit changed: path, before, after.")
    report = models.JSONField(default=dict, blank=True, help_text="Of an inferred contract: what was seen.")
    reason = models.TextField(blank=True)
    actor = models.CharField(max_length=150, default="system")
    approved_by = models.CharField(max_length=150, blank=True)
    approved_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("dataset", "-number")
        constraints = (
            models.UniqueConstraint(fields=("dataset", "number"), name="contract_version_number"),
            models.CheckConstraint(condition=Q(state__in=("proposed", "approved")), name="contract_state"),
            models.CheckConstraint(
                condition=Q(state="proposed", approved_at__isnull=True, approved_by="")
                | (Q(state="approved", approved_at__isnull=False) & ~Q(approved_by="")),
                name="contract_approval_has_a_name",
            ),
        )

    def __str__(self) -> str:
        return f"{self.dataset.name}, contract {self.number}"


class DatasetVersion(models.Model):
    """What one ingestion added; its number names the table as it was after it."""

    class Mode(models.TextChoices):
        APPEND = "append", "append"
        REPLACE = "replace", "replace"
        UPSERT = "upsert", "upsert"

    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    delta_version = models.PositiveBigIntegerField(help_text="Version of the dataset's Delta table.")
    fingerprint = models.CharField(max_length=64, help_text="sha256 of the ingested bytes and how they were read.")
    rows_valid = models.PositiveBigIntegerField()
    rows_rejected = models.PositiveBigIntegerField(default=0)
    rows_total = models.PositiveBigIntegerField(help_text="Rows of the table at this version.")
    mode = models.CharField(max_length=7, choices=Mode, default=Mode.APPEND)
    rows_replaced = models.PositiveBigIntegerField(
        default=0, help_text="Rows of the version before that these replace."
    )
    contract_number = models.PositiveIntegerField(default=1, help_text="Contract the rows were checked against.")
    reasons = models.JSONField(default=dict, blank=True, help_text="Rejected rows by reason code.")
    warnings = models.JSONField(
        default=list, blank=True, help_text="Rules of the dataset it broke and was let in with."
    )
    pruned_at = models.DateTimeField(null=True, blank=True, help_text="When its rows ceased to be readable.")
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
            models.CheckConstraint(condition=Q(mode__in=("append", "replace", "upsert")), name="dataset_version_mode"),
        )

    def __str__(self) -> str:
        return f"{self.dataset.name}@{self.number}"


class QuarantineFix(models.Model):
    """A refused row that came back mended: it counts once, in the version that took it."""

    rejected_in = models.ForeignKey(DatasetVersion, on_delete=models.PROTECT, related_name="fixes")
    row = models.PositiveBigIntegerField(help_text="The row's number in its source.")
    fixed_in = models.ForeignKey(DatasetVersion, on_delete=models.PROTECT, related_name="fixed_rows")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("rejected_in", "row")
        constraints = (models.UniqueConstraint(fields=("rejected_in", "row"), name="quarantined_row_fixed_once"),)

    def __str__(self) -> str:
        return f"{self.rejected_in}, row {self.row}"


class ColumnProfile(models.Model):
    """What a column held in the rows of one version."""

    dataset_version = models.ForeignKey(DatasetVersion, on_delete=models.CASCADE, related_name="profiles")
    position = models.PositiveIntegerField()
    column = models.CharField(max_length=200)
    dtype = models.CharField(max_length=10)
    rows = models.PositiveBigIntegerField()
    missing = models.PositiveBigIntegerField()
    distinct = models.PositiveBigIntegerField(null=True, blank=True)
    minimum = models.CharField(max_length=120, blank=True)
    maximum = models.CharField(max_length=120, blank=True)
    mean = models.FloatField(null=True, blank=True)
    deviation = models.FloatField(null=True, blank=True)
    quantiles = models.JSONField(
        default=dict, blank=True, help_text="Value by share of rows below it; numbers and times."
    )
    histogram = models.JSONField(default=dict, blank=True, help_text="edges and counts, or values and counts.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("dataset_version", "position")
        constraints = (
            models.UniqueConstraint(fields=("dataset_version", "column"), name="column_profile_once_a_version"),
        )

    def __str__(self) -> str:
        return f"{self.dataset_version}, {self.column}"
