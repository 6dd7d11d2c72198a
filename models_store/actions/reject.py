"""Say no to a promotion request, or take one's own back."""

from django.db import transaction
from django.utils import timezone

from features.ground.audit import audited_refusals
from models_store.actions.decide_stored import locked_request
from models_store.actions.record_request import record_request
from models_store.actions.rights import check_may_approve
from models_store.core.people import person
from models_store.core.policy import parse_policy
from models_store.core.reasons import checked_reason
from models_store.models import Approval, PromotionRequest


def reject(request: int, *, reason: str, actor: str) -> PromotionRequest:
    """End an open request without applying it.

    Parameters
    ----------
    request : int
        Number of the promotion request.
    reason : str
        Why; 1 to 2000 characters.
    actor : str
        Who says no; whoever asked may take the request back.

    Returns
    -------
    PromotionRequest
        Rejected.

    Raises
    ------
    UnknownRequestError, RequestClosedError, RequestExpiredError
        If there is no such open request.
    RightMissingError
        If the actor may not decide on it.
    BadPromotionError
        If the reason is none.
    """
    with audited_refusals(
        actor=actor, action="reject", object_type="promotion_request", object_id=str(request), reason=reason
    ):
        why = checked_reason(reason)
        with transaction.atomic(durable=True):
            return _rejected(request, why, actor)


def _rejected(number: int, reason: str, actor: str) -> PromotionRequest:
    request, model, _ = locked_request(number)
    name, requester = person(actor), person(request.requester)
    if name != requester:
        check_may_approve(actor, parse_policy(model.policy, model.task))
        # A person who has approved before takes that word back: one row for each person, and the audit has both.
        Approval.objects.update_or_create(
            request=request,
            approver=name,
            defaults={
                "approved": False,
                "requester": requester,
                "evidence_digest": request.evidence_digest,
                "reason": reason,
            },
        )
    request.state, request.decided_at = PromotionRequest.State.REJECTED, timezone.now()
    request.refusal = {"rejected_by": name, "reason": reason}
    request.save()
    record_request("reject", request, actor=actor, reason=reason, event="promotion.rejected")
    return request
