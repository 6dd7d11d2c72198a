"""Runs and what they produce."""

import uuid

from django.db import models
from django.db.models import Q


class Run(models.Model):
    """One long piece of work; this row is the job, the queue only rings the bell."""

    class Kind(models.TextChoices):
        INGEST = "ingest", "ingest"
        SNAPSHOT = "snapshot", "snapshot"
        MATERIALIZE = "materialize", "materialize"
        COMPACT = "compact", "compact tables"
        TRAIN = "train", "train"
        SCORE = "score", "batch score"
        DRIFT = "drift", "drift report"
        NOOP = "noop", "heartbeat of a queue"

    class State(models.TextChoices):
        QUEUED = "queued", "queued"
        RUNNING = "running", "running"
        SUCCEEDED = "succeeded", "succeeded"
        FAILED = "failed", "failed"
        CANCELLED = "cancelled", "cancelled"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    kind = models.CharField(max_length=20, choices=Kind)
    params = models.JSONField(default=dict, blank=True)
    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    idempotency_key = models.CharField(max_length=200, null=True, blank=True, unique=True)
    schedule = models.CharField(max_length=100, null=True, blank=True)  # noqa: DJ001 (NULL: asked for by hand)
    due_at = models.DateTimeField(null=True, blank=True)
    attempt = models.PositiveSmallIntegerField(default=0)
    token = models.PositiveBigIntegerField(default=0, help_text="Goes up with each claim; a stale worker's is refused.")
    lease_until = models.DateTimeField(null=True, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    progress = models.PositiveSmallIntegerField(default=0, help_text="Percent.")
    step = models.CharField(max_length=200, blank=True)
    worker = models.CharField(max_length=200, blank=True, help_text="host:pid")
    error_code = models.CharField(max_length=60, blank=True)
    error = models.CharField(max_length=1000, blank=True)
    result = models.JSONField(default=dict, blank=True)
    log = models.TextField(blank=True, default="", help_text="The last lines it said.")
    actor = models.CharField(max_length=150, default="system")
    enqueued_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-created_at",)
        constraints = (
            models.UniqueConstraint(fields=("schedule", "due_at"), name="run_once_per_slot"),
            models.CheckConstraint(condition=Q(progress__lte=100), name="run_progress_percent"),
            models.CheckConstraint(
                condition=Q(state__in=("queued", "running", "succeeded", "failed", "cancelled")), name="run_state"
            ),
        )
        indexes = (models.Index(fields=("state", "lease_until"), name="run_state_lease"),)

    def __str__(self) -> str:
        return f"{self.kind} {str(self.id)[:8]}"


class DriftReport(models.Model):
    """Served values of one window compared with the training snapshot."""

    run = models.OneToOneField(Run, on_delete=models.PROTECT, null=True, blank=True, related_name="drift_report")
    model_version = models.ForeignKey(
        "models_store.ModelVersion", on_delete=models.PROTECT, related_name="drift_reports"
    )
    window_start = models.DateTimeField(null=True, blank=True)
    window_end = models.DateTimeField(null=True, blank=True)
    source = models.CharField(max_length=300, help_text="The prediction log, or the file compared.")
    method = models.CharField(max_length=30)
    rows_reference = models.PositiveBigIntegerField()
    rows_current = models.PositiveBigIntegerField()
    dataset_drift = models.BooleanField()
    drift_share = models.FloatField(help_text="Share of measured columns that drifted.")
    columns = models.JSONField(default=dict, help_text="Per column: score, drifted.")
    not_measured = models.JSONField(default=list, blank=True)
    html_path = models.CharField(max_length=300, help_text="Below the run-time folder, gzipped.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return f"{self.model_version}: {'drift' if self.dataset_drift else 'no drift'}"


class BatchScore(models.Model):
    """One file or folder scored by one version."""

    run = models.OneToOneField(Run, on_delete=models.PROTECT, null=True, blank=True, related_name="batch_score")
    model_version = models.ForeignKey(
        "models_store.ModelVersion", on_delete=models.PROTECT, related_name="batch_scores"
    )
    input = models.CharField(max_length=500)
    output = models.CharField(max_length=500)
    rows = models.PositiveBigIntegerField(default=0)
    rejected = models.PositiveBigIntegerField(default=0)
    seconds = models.FloatField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return f"{self.model_version}: {self.rows} rows"


class Alert(models.Model):
    """Something a person should look at; the same key opens one alert only."""

    class Severity(models.TextChoices):
        WARNING = "warning", "warning"
        CRITICAL = "critical", "critical"

    class State(models.TextChoices):
        OPEN = "open", "open"
        CLOSED = "closed", "closed"

    key = models.CharField(max_length=200)
    severity = models.CharField(max_length=10, choices=Severity, default=Severity.WARNING)
    state = models.CharField(max_length=10, choices=State, default=State.OPEN)
    title = models.CharField(max_length=300)
    detail = models.TextField(blank=True)
    times = models.PositiveIntegerField(default=1, help_text="How often it was raised while open.")
    run = models.ForeignKey(Run, on_delete=models.SET_NULL, null=True, blank=True, related_name="alerts")
    last_at = models.DateTimeField()
    delivered_at = models.DateTimeField(null=True, blank=True, help_text="When it reached Slack, if it is set up.")
    delivery_lease_until = models.DateTimeField(null=True, blank=True, help_text="A worker is sending it until then.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-last_at",)
        constraints = (models.UniqueConstraint(fields=("key",), condition=Q(state="open"), name="one_open_alert"),)

    def __str__(self) -> str:
        return self.title


class StreamConsumer(models.Model):
    """A consumer without an end, as it was last heard of: one row a name, which is its group and slot, or its file."""

    class State(models.TextChoices):
        RUNNING = "running", "running"
        STOPPED = "stopped", "stopped"
        FAILED = "failed", "failed"

    name = models.CharField(max_length=300, unique=True)
    model = models.CharField(max_length=200, help_text="MODEL or MODEL@N.")
    worker = models.CharField(max_length=200, help_text="host:pid")
    state = models.CharField(max_length=10, choices=State, default=State.RUNNING)
    lag = models.PositiveBigIntegerField(null=True, blank=True, help_text="Messages that wait, as far as is known.")
    committed = models.PositiveBigIntegerField(default=0, help_text="Messages since it started.")
    error = models.CharField(max_length=300, blank=True)
    heartbeat_at = models.DateTimeField()
    started_at = models.DateTimeField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("name",)
        constraints = (
            models.CheckConstraint(condition=Q(state__in=("running", "stopped", "failed")), name="consumer_state"),
        )

    def __str__(self) -> str:
        return self.name
