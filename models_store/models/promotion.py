"""Promotion requests, the words of those who decide on them, waivers and gate results."""

from typing import Any, Self

from django.db import models
from django.db.models import F, Q

from features.ground.errors import bounded
from models_store.errors import UnknownRequestError
from models_store.models.registry import ModelVersion, Stage

OPEN = ("waiting", "scheduled")
"""States of a request that may still be applied."""


class PromotionRequestQuerySet(models.QuerySet["PromotionRequest"]):
    """Reads of promotion requests."""

    def numbered(self, number: int) -> "PromotionRequest":
        """Return the request of this number, with its version and model."""
        # A number no database integer holds names nothing.
        small = 0 < number < 2**63
        found = self.filter(pk=number).select_related("version__model").first() if small else None
        if found is None:
            raise UnknownRequestError(f"there is no promotion request {bounded(number)}", request=number)
        return found

    def presented(self) -> Self:
        """Return requests with all that is shown of them, newest first."""
        related = self.select_related("version__model").prefetch_related("approvals", "waivers")
        return related.order_by("-created_at", "-pk")

    def open(self) -> Self:
        """Return the requests that may still be applied."""
        return self.filter(state__in=OPEN)


class PromotionRequest(models.Model):
    """Somebody asks that a version take a stage."""

    class State(models.TextChoices):
        WAITING = "waiting", "waiting"
        SCHEDULED = "scheduled", "scheduled"
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
    not_before = models.DateTimeField(null=True, blank=True, help_text="Not applied before this time.")
    expires_at = models.DateTimeField(null=True, blank=True, help_text="Can't be applied after this time.")
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    refusal = models.JSONField(default=dict, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = PromotionRequestQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at",)
        constraints = (
            models.CheckConstraint(condition=~Q(reason=""), name="promotion_reason_given"),
            # Nobody can be asked twice for the same thing at the same time.
            models.UniqueConstraint(
                fields=("version", "target_stage"), condition=Q(state__in=OPEN), name="one_open_request"
            ),
            models.CheckConstraint(condition=Q(target_stage__in=Stage.values), name="promotion_target_stage"),
            models.CheckConstraint(
                condition=Q(state__in=("waiting", "scheduled", "applied", "refused", "rejected", "expired", "void")),
                name="promotion_state",
            ),
            models.CheckConstraint(condition=Q(percent__isnull=True) | Q(percent__lte=100), name="promotion_percent"),
        )
        permissions = (("approve_promotion", "Can approve or reject a promotion"),)

    def __str__(self) -> str:
        return f"{self.version} to {self.target_stage}"


class Approval(models.Model):
    """A second person's word on a promotion request, bound to the evidence seen."""

    request = models.ForeignKey(PromotionRequest, on_delete=models.PROTECT, related_name="approvals")
    # Names of people, by whichever door they came; both here, so that a CHECK can compare them inside one row.
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


class Waiver(models.Model):
    """A gate that said no, and who took it on themselves, with the reason."""

    request = models.ForeignKey(PromotionRequest, on_delete=models.PROTECT, related_name="waivers")
    gate = models.CharField(max_length=50)
    actor = models.CharField(max_length=150)
    reason = models.CharField(max_length=2000)
    observed = models.CharField(max_length=200)
    threshold = models.CharField(max_length=200)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-created_at", "gate")
        constraints = (
            models.UniqueConstraint(fields=("request", "gate"), name="one_waiver_each"),
            models.CheckConstraint(condition=~Q(reason=""), name="waiver_reason_given"),
        )

    def __str__(self) -> str:
        return f"{self.gate} waived by {self.actor}"


class GateResultQuerySet(models.QuerySet["GateResult"]):
    """Reads of gate results."""

    def newest_of(self, version: ModelVersion) -> Self:
        """Return the results of the version's last evaluation."""
        newest = version.gate_results.order_by("-id").values_list("evaluation", flat=True).first()
        return self.filter(version=version, evaluation=newest).order_by("id")

    def as_rows(self) -> list[dict[str, Any]]:
        """Return results as the JSON objects every edge answers with."""
        names = ("gate", "passed", "observed", "threshold", "target_stage")
        return [{**{name: getattr(found, name) for name in names}, "evaluated_at": found.created_at} for found in self]


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

    objects = GateResultQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at", "gate")
        constraints = (models.UniqueConstraint(fields=("evaluation", "gate"), name="gate_once_per_evaluation"),)

    def __str__(self) -> str:
        return f"{self.gate}: {'passed' if self.passed else 'failed'}"
