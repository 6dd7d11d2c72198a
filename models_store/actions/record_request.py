"""Put into the audit and the outbox what happens to a promotion request."""

from collections.abc import Mapping
from typing import Any

from django.utils import timezone

from features.ground.errors import DomainError
from models_store.actions.audit import append_audit
from models_store.actions.outbox import emit
from models_store.models import PromotionRequest


def record_request(
    action: str,
    request: PromotionRequest,
    *,
    actor: str,
    reason: str,
    event: str,
    found: Mapping[str, Any] | None = None,
) -> None:
    """Append an audit entry and an event about a request, inside the caller's transaction.

    Parameters
    ----------
    action : str
        As the audit names it.
    request : PromotionRequest
        With its version and model.
    actor, reason : str
        Who did it, and why.
    event : str
        Kind of the event.
    found : mapping, optional
        What else is to be known.
    """
    version = request.version
    after = {"request": request.pk, "target_stage": request.target_stage, **(found or {})}
    append_audit(
        actor=actor,
        action=action,
        object_type="model_version",
        object_id=str(version),
        before={"stage": str(version.stage), "generation": request.expected_generation},
        after=after,
        reason=reason,
    )
    told = {"actor": actor, "reason": reason, "requester": request.requester}
    emit(event, {"model": version.model.name, "version": version.number, **told, **after})


def close_request(request: PromotionRequest, state: str, error: DomainError) -> None:
    """End a request that can no longer be applied, inside the caller's transaction.

    Parameters
    ----------
    request : PromotionRequest
        An open one, read under its model's lock.
    state : str
        `expired` or `void`.
    error : DomainError
        Why.
    """
    request.state, request.decided_at = PromotionRequest.State(state), timezone.now()
    request.refusal = {"code": error.code, "error": error.message}
    request.save()
    record_request(
        f"promote_{state}",
        request,
        actor="system",
        reason=error.message,
        event=f"promotion.{state}",
        found={"code": error.code},
    )
