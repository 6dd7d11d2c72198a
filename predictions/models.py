"""The prediction log and what came true."""

import uuid
from typing import Any

from django.db import models
from django.db.models import Q

from predictions.core.packed_rows import unpack_rows


class WrittenJSONField(models.JSONField):
    """JSON that only our own code writes, as text it has just made: the database need not parse each value again."""

    def db_check(self, connection: Any) -> None:
        """Return no check; on SQLite it took longer than storing the row where a request had many rows."""

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        """Return the value; rows that were kept as bytes as lists."""
        return unpack_rows(super().from_db_value(value, expression, connection))


class Prediction(models.Model):
    """One scored request: what came in, what went out, by which version.

    A request may hold several rows: `inputs` and `outputs` are lists of the same length. On PostgreSQL the table is
    partitioned by the day of `at`, and its key there is (id, at): see predictions.adapters.partitions.
    """

    class Role(models.TextChoices):
        PRODUCTION = "production", "production"
        CANARY = "canary", "canary"
        SHADOW = "shadow", "shadow"
        PINNED = "pinned", "pinned"

    class Source(models.TextChoices):
        API = "api", "API"
        BATCH = "batch", "batch"
        STREAM = "stream", "stream"
        CLI = "cli", "command line"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    request_id = models.CharField(max_length=100, db_index=True)
    # The index over it and the time serves for it alone too.
    model_version = models.ForeignKey(
        "models_store.ModelVersion", on_delete=models.PROTECT, related_name="predictions", db_index=False
    )
    generation = models.PositiveBigIntegerField(default=0)
    role = models.CharField(max_length=10, choices=Role)
    principal = models.CharField(max_length=150)
    entity_keys = WrittenJSONField(default=list, blank=True)
    columns = WrittenJSONField(default=list, help_text="Names of the inputs, in order.")
    inputs = WrittenJSONField(help_text="Rows as scored, after the missing-value policy.")
    outputs = WrittenJSONField(help_text="predictions and, for a classifier, probabilities.")
    snapshots = WrittenJSONField(
        default=dict, blank=True, help_text="Where features were looked up: the online snapshot of each view."
    )
    route = WrittenJSONField(
        default=dict,
        blank=True,
        help_text="Why this version answered: by, bucket, percent, key; empty if no canary is.",
    )
    fallback = models.CharField(
        max_length=40, blank=True, default="", help_text="Why the canary that was due had no answer: an error's code."
    )
    rows = models.PositiveIntegerField(default=1)
    latency_ms = models.FloatField(help_text="Scoring time in milliseconds.")
    at = models.DateTimeField(db_index=True)
    source = models.CharField(max_length=10, choices=Source, default=Source.API)
    topic = models.CharField(max_length=250, null=True, blank=True)  # noqa: DJ001 (NULL: came from no stream)
    partition = models.PositiveIntegerField(null=True, blank=True)
    offset = models.PositiveBigIntegerField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-at",)
        constraints = (
            models.CheckConstraint(
                condition=Q(role__in=("production", "canary", "shadow", "pinned")), name="prediction_role"
            ),
        )
        indexes = (
            models.Index(fields=("model_version", "at"), name="prediction_version_at"),
            models.Index(fields=("principal", "at"), name="prediction_principal_at"),
            models.Index(fields=("model_version", "at"), name="prediction_fallback", condition=~Q(fallback="")),
        )

    def __str__(self) -> str:
        return str(self.id)


class StreamPosition(models.Model):
    """Where a message of a stream stood, and which prediction it became: one, however often it comes.

    A table of its own, because a unique key of a partitioned table must hold the day it is partitioned by.
    """

    prediction_id = models.UUIDField(primary_key=True)
    topic = models.CharField(max_length=250)
    partition = models.PositiveIntegerField()
    offset = models.PositiveBigIntegerField()
    at = models.DateTimeField(db_index=True, help_text="When it was predicted, as the prediction says.")

    class Meta:
        constraints = (models.UniqueConstraint(fields=("topic", "partition", "offset"), name="stream_position_once"),)

    def __str__(self) -> str:
        return f"{self.topic} / {self.partition} / {self.offset}"


class Outcome(models.Model):
    """What really happened for one row of a prediction; late and corrected ones are all kept."""

    prediction = models.ForeignKey(Prediction, on_delete=models.CASCADE, related_name="outcomes")
    row = models.PositiveIntegerField(default=0, help_text="Which row of the prediction, from 0.")
    actual = models.JSONField()
    observed_at = models.DateTimeField(help_text="When it happened.")
    known_at = models.DateTimeField(help_text="When it was reported here.")
    actor = models.CharField(max_length=150, default="system")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-known_at",)
        constraints = (
            models.UniqueConstraint(fields=("prediction", "row", "known_at"), name="outcome_once_per_report"),
        )

    def __str__(self) -> str:
        return f"{self.prediction_id}[{self.row}] = {self.actual}"


class ApiKey(models.Model):
    """What a service calls the API with; of its secret only a hash is kept."""

    name = models.SlugField(max_length=100, unique=True)
    prefix = models.CharField(max_length=12, unique=True, help_text="The public part, by which it is found.")
    secret_hash = models.CharField(max_length=64, help_text="sha256 of the secret part.")
    roles = models.JSONField(default=list)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True, help_text="To within a few minutes.")
    created_by = models.CharField(max_length=150)
    created_at = models.DateTimeField(auto_now_add=True)
    # Last, because its name hides the module's from here on.
    models = models.JSONField(default=list, blank=True, help_text="The models it is good for; all if none is named.")

    class Meta:
        ordering = ("name",)
        verbose_name = "API key"

    def __str__(self) -> str:
        return self.name
