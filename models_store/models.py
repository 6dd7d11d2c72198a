"""Registered models, their versions, promotion and the audit chain."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Self

from django.db import models
from django.db.models import F, Q

from models_store.core.chain import Link, StoredLink
from models_store.core.history import PROMOTE, ROLLBACK
from models_store.core.spec import parse_spec
from models_store.errors import NoProductionVersionError, UnknownModelError, UnknownVersionError


class RegisteredModelQuerySet(models.QuerySet["RegisteredModel"]):
    """Reads of registered models."""

    def named(self, name: str) -> "RegisteredModel":
        """Return the model of this name."""
        model = self.filter(name=name).first()
        if model is None:
            raise UnknownModelError(f"no model is called {name!r}: the `models` command lists them", model=name)
        return model

    def with_serving(self) -> Self:
        """Fetch the versions that serve in one more query, as `serving_versions`."""
        serving = ModelVersion.objects.filter(stage__in=(Stage.PRODUCTION, Stage.CANARY, Stage.SHADOW))
        return self.prefetch_related(models.Prefetch("versions", queryset=serving, to_attr="serving_versions"))


class RegisteredModel(models.Model):
    """A model by name: what it predicts, by which policy it is promoted, which versions serve."""

    class Task(models.TextChoices):
        CLASSIFICATION = "classification", "classification"
        REGRESSION = "regression", "regression"

    name = models.SlugField(max_length=100, unique=True)
    task = models.CharField(max_length=20, choices=Task)
    description = models.TextField(blank=True)
    owner = models.CharField(max_length=150, blank=True)
    primary_metric = models.CharField(max_length=50)
    policy = models.JSONField(default=dict, blank=True, help_text="Gates with their thresholds; approvals needed.")
    generation = models.PositiveBigIntegerField(default=0, help_text="Goes up by one whenever what serves changes.")
    canary_percent = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = RegisteredModelQuerySet.as_manager()

    class Meta:
        ordering = ("name",)
        constraints = (
            models.CheckConstraint(condition=Q(canary_percent__lte=100), name="canary_percent_range"),
            models.CheckConstraint(condition=Q(task__in=("classification", "regression")), name="model_task"),
        )

    def __str__(self) -> str:
        return self.name


class Stage(models.TextChoices):
    """Where a version is in its life."""

    CANDIDATE = "candidate", "candidate"
    SHADOW = "shadow", "shadow"
    CANARY = "canary", "canary"
    PRODUCTION = "production", "production"
    ARCHIVED = "archived", "archived"
    REJECTED = "rejected", "rejected"


class ModelVersionQuerySet(models.QuerySet["ModelVersion"]):
    """Reads of versions."""

    def resolve(self, spec: str) -> "ModelVersion":
        """Return the version named `MODEL@N`, or the one in production for `MODEL`."""
        wanted = parse_spec(spec)
        model = RegisteredModel.objects.named(wanted.model)
        versions = self.filter(model=model).select_related("model")
        if wanted.number is None:
            found = versions.filter(stage=Stage.PRODUCTION).first()
            if found is None:
                raise NoProductionVersionError(
                    f"{model.name} has no version in production: promote one with "
                    f"`promote {model.name}@N --stage production`",
                    model=model.name,
                )
            return found
        found = versions.filter(number=wanted.number).first()
        if found is None:
            raise UnknownVersionError(f"{model.name} has no version {wanted.number}", model=model.name)
        return found


class ModelVersion(models.Model):
    """One trained or registered model: immutable but for its stage."""

    model = models.ForeignKey(RegisteredModel, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    stage = models.CharField(max_length=12, choices=Stage, default=Stage.CANDIDATE)
    stage_changed_at = models.DateTimeField(null=True, blank=True)
    snapshot = models.ForeignKey(
        "features.FeatureSnapshot", on_delete=models.PROTECT, null=True, blank=True, related_name="model_versions"
    )
    run_id = models.UUIDField(null=True, blank=True, help_text="The run that made it.")
    estimator = models.CharField(max_length=100)
    engine = models.CharField(max_length=10, choices=[("onnx", "onnx"), ("sklearn", "sklearn")])
    engine_reason = models.CharField(max_length=600, blank=True, help_text="Why it is not served by ONNX, if it isn't.")
    manifest_digest = models.CharField(max_length=64, help_text="sha256 of the manifest; names the artefact's folder.")
    signature = models.CharField(max_length=128, help_text="Ed25519 over the manifest, base64.")
    key_id = models.CharField(max_length=32)
    size_bytes = models.PositiveBigIntegerField(default=0)
    input_schema = models.JSONField(default=list, help_text="Input columns in order: name, dtype, nullable, min, max.")
    output_schema = models.JSONField(default=dict, blank=True, help_text="Task and class labels.")
    metrics = models.JSONField(default=dict, blank=True, help_text="By part: test, baseline, linear_baseline, slices.")
    params = models.JSONField(default=dict, blank=True)
    code_version = models.CharField(max_length=80, blank=True)
    environment_digest = models.CharField(max_length=64, blank=True)
    actor = models.CharField(max_length=150, default="system")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ModelVersionQuerySet.as_manager()

    class Meta:
        ordering = ("model__name", "-number")
        constraints = (
            models.UniqueConstraint(fields=("model", "number"), name="model_version_number"),
            models.UniqueConstraint(fields=("model",), condition=Q(stage="production"), name="one_production"),
            models.UniqueConstraint(fields=("model",), condition=Q(stage="canary"), name="one_canary"),
            models.UniqueConstraint(fields=("model",), condition=Q(stage="shadow"), name="one_shadow"),
            models.CheckConstraint(condition=Q(stage__in=Stage.values), name="model_version_stage"),
            models.CheckConstraint(condition=Q(engine__in=("onnx", "sklearn")), name="model_version_engine"),
        )
        permissions = (("promote_modelversion", "Can ask for a promotion"), ("waive_gate", "Can waive a gate"))

    def __str__(self) -> str:
        return f"{self.model.name}@{self.number}"


class PromotionRequest(models.Model):
    """Somebody asks that a version take a stage."""

    class State(models.TextChoices):
        WAITING = "waiting", "waiting"
        APPLIED = "applied", "applied"
        REFUSED = "refused", "refused"
        REJECTED = "rejected", "rejected"
        EXPIRED = "expired", "expired"
        VOID = "void", "void"

    version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="promotion_requests")
    target_stage = models.CharField(max_length=12, choices=Stage)
    percent = models.PositiveSmallIntegerField(null=True, blank=True)
    reason = models.CharField(max_length=2000)
    requester = models.CharField(max_length=150)
    evidence_digest = models.CharField(max_length=64)
    expected_generation = models.PositiveBigIntegerField()
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    refusal = models.JSONField(default=dict, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-created_at",)
        constraints = (
            models.CheckConstraint(condition=~Q(reason=""), name="promotion_reason_given"),
            models.CheckConstraint(condition=Q(target_stage__in=Stage.values), name="promotion_target_stage"),
            models.CheckConstraint(
                condition=Q(state__in=("waiting", "applied", "refused", "rejected", "expired", "void")),
                name="promotion_state",
            ),
            models.CheckConstraint(condition=Q(percent__isnull=True) | Q(percent__lte=100), name="promotion_percent"),
        )

    def __str__(self) -> str:
        return f"{self.version} to {self.target_stage}"


class Approval(models.Model):
    """A second person's word on a promotion request, bound to the evidence seen."""

    request = models.ForeignKey(PromotionRequest, on_delete=models.PROTECT, related_name="approvals")
    # A copy, so that a CHECK can compare the two names inside one row.
    requester = models.CharField(max_length=150)
    approver = models.CharField(max_length=150)
    approved = models.BooleanField(default=True)
    evidence_digest = models.CharField(max_length=64)
    reason = models.CharField(max_length=2000, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-created_at",)
        constraints = (
            models.CheckConstraint(condition=~Q(approver=F("requester")), name="approver_is_not_requester"),
            models.UniqueConstraint(fields=("request", "approver"), name="one_approval_each"),
        )

    def __str__(self) -> str:
        return f"{self.approver} on {self.request}"


class GateResult(models.Model):
    """What one gate saw and decided for one version and target stage."""

    version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="gate_results")
    target_stage = models.CharField(max_length=12, choices=Stage, default=Stage.PRODUCTION)
    evaluation = models.UUIDField(help_text="Results of one evaluation share it.")
    gate = models.CharField(max_length=50)
    passed = models.BooleanField()
    observed = models.CharField(max_length=200)
    threshold = models.CharField(max_length=200)
    evidence = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-created_at", "gate")
        constraints = (models.UniqueConstraint(fields=("evaluation", "gate"), name="gate_once_per_evaluation"),)

    def __str__(self) -> str:
        return f"{self.gate}: {'passed' if self.passed else 'failed'}"


class AuditEntryQuerySet(models.QuerySet["AuditEntry"]):
    """Reads of the audit chain."""

    def chained(self) -> Iterator[StoredLink]:
        """Return every entry as it is hashed, oldest first."""
        for entry in self.order_by("id").iterator(chunk_size=500):
            yield StoredLink(number=entry.pk, link=entry.link(), hash=entry.hash)

    def stage_changes(self, model: str, until: datetime | None = None) -> Self:
        """Return the applied promotions and rollbacks of a model, oldest first."""
        changes = self.filter(
            action__in=(PROMOTE, ROLLBACK), object_type="model_version", object_id__startswith=f"{model}@"
        )
        return changes.order_by("id") if until is None else changes.filter(at__lte=until).order_by("id")

    def about(self, text: str) -> Self:
        """Return the entries of an object; a model's name stands for all its versions too."""
        return self.filter(Q(object_id=text) | Q(object_id__startswith=f"{text}@")) if text else self.all()


class AuditEntry(models.Model):
    """One link of the append-only chain of what was done, by whom and why."""

    at = models.DateTimeField()
    actor = models.CharField(max_length=150)
    action = models.CharField(max_length=60)
    object_type = models.CharField(max_length=60)
    object_id = models.CharField(max_length=200)
    before = models.JSONField(default=dict, blank=True)
    after = models.JSONField(default=dict, blank=True)
    reason = models.CharField(max_length=2000, blank=True)
    request_id = models.CharField(max_length=100, blank=True)
    # Unique, so that the chain can't fork: two entries can't follow the same one.
    previous_hash = models.CharField(max_length=64, unique=True)
    hash = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = AuditEntryQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        verbose_name_plural = "audit entries"
        indexes = (models.Index(fields=("object_type", "object_id"), name="audit_object"),)

    def __str__(self) -> str:
        return f"{self.action} {self.object_type} {self.object_id} by {self.actor}"

    def link(self) -> Link:
        """Return what is hashed."""
        fields: dict[str, Any] = {name: getattr(self, name) for name in Link.__dataclass_fields__}
        return Link(**fields)
