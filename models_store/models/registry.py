"""Registered models and their versions."""

from typing import Self

from django.db import models
from django.db.models import Q

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
    purpose = models.TextField(blank=True, help_text="What it predicts, and which decision that serves.")
    intended_use = models.TextField(blank=True, help_text="Who may use it for what, and what it is not for.")
    limits = models.TextField(blank=True, help_text="Where it is known to be wrong, unfair or untested.")
    owner = models.CharField(max_length=150, blank=True, help_text="Who answers for it.")
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
    provenance = models.JSONField(
        default=dict, blank=True, help_text="What it was made of: data, code, environment, files, and its origin."
    )
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
