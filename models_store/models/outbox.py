"""What happened, kept beside the deed itself until every target has been told."""

import uuid

from django.db import models
from django.db.models import Q


class OutboxEvent(models.Model):
    """Something that happened, written in the transaction of the deed."""

    event_id = models.UUIDField(unique=True, default=uuid.uuid4, help_text="Receivers tell repeats by it.")
    kind = models.CharField(max_length=60)
    payload = models.JSONField(default=dict, blank=True)
    fanned_out_at = models.DateTimeField(null=True, blank=True, help_text="When its deliveries were written.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-id",)
        verbose_name = "event"
        indexes = (models.Index(fields=("fanned_out_at",), name="outbox_fanned_out"),)

    def __str__(self) -> str:
        return f"{self.kind} {str(self.event_id)[:8]}"


class Delivery(models.Model):
    """One event on its way to one target."""

    class State(models.TextChoices):
        PENDING = "pending", "pending"
        DELIVERED = "delivered", "delivered"
        DEAD = "dead", "given up"

    event = models.ForeignKey(OutboxEvent, on_delete=models.PROTECT, related_name="deliveries")
    target = models.CharField(max_length=100, help_text="slack, or webhook:NAME; its address is a setting.")
    state = models.CharField(max_length=10, choices=State, default=State.PENDING)
    # Goes up with each claim, so that a worker whose lease ran out can't write over its successor.
    attempts = models.PositiveSmallIntegerField(default=0)
    next_at = models.DateTimeField(help_text="Not tried before.")
    lease_until = models.DateTimeField(null=True, blank=True, help_text="A worker is sending it until then.")
    error = models.CharField(max_length=300, blank=True, help_text="Of the last attempt that failed.")
    delivered_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-id",)
        verbose_name_plural = "deliveries"
        constraints = (
            models.UniqueConstraint(fields=("event", "target"), name="one_delivery_per_target"),
            models.CheckConstraint(condition=Q(state__in=("pending", "delivered", "dead")), name="delivery_state"),
        )
        indexes = (models.Index(fields=("state", "next_at"), name="delivery_due"),)

    def __str__(self) -> str:
        return f"{self.event} to {self.target}"
