"""Registered models, their versions, promotion, the audit chain and the outbox."""

from models_store.models.audit import AuditCheckpoint, AuditEntry
from models_store.models.outbox import Delivery, OutboxEvent
from models_store.models.promotion import Approval, GateResult, PromotionRequest, PromotionRequestQuerySet, Waiver
from models_store.models.registry import (
    ModelVersion,
    ModelVersionQuerySet,
    RegisteredModel,
    RegisteredModelQuerySet,
    Stage,
)

__all__ = [
    "Approval",
    "AuditCheckpoint",
    "AuditEntry",
    "Delivery",
    "GateResult",
    "ModelVersion",
    "ModelVersionQuerySet",
    "OutboxEvent",
    "PromotionRequest",
    "PromotionRequestQuerySet",
    "RegisteredModel",
    "RegisteredModelQuerySet",
    "Stage",
    "Waiver",
]
