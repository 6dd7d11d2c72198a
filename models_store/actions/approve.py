"""Give a word on somebody else's promotion request."""

from features.ground.audit import audited_refusals
from models_store.actions.decide_stored import Word, decide_stored
from models_store.actions.promote import Promotion, concluded
from models_store.actions.record_request import record_request
from models_store.actions.rights import check_may_approve
from models_store.core.people import person
from models_store.core.policy import Policy
from models_store.core.reasons import checked_reason
from models_store.errors import AlreadyDecidedError, OwnRequestError
from models_store.models import Approval, PromotionRequest


def approve(request: int, *, actor: str, reason: str = "") -> Promotion:
    """Approve a request; with the last approval its policy asks for, the promotion is applied.

    The gates are evaluated again, on evidence gathered now. Where it is not the evidence the request was made on, the
    request and all approvals of it are void.

    Parameters
    ----------
    request : int
        Number of the promotion request.
    actor : str
        Who approves; another person than the one who asked.
    reason : str
        Why, if there is something to say.

    Returns
    -------
    Promotion
        Applied, waiting for more approvals, or scheduled for its time.

    Raises
    ------
    UnknownRequestError, RequestClosedError, RequestExpiredError
        If there is no such open request.
    OwnRequestError, AlreadyDecidedError, RightMissingError
        If this person asked for it, has approved it before, or may not approve.
    EvidenceChangedError, PromotionConflictError, GateFailedError
        If the request is void, somebody else was first, or a gate says no now.
    BadPromotionError
        If the reason is none.
    """
    with audited_refusals(
        actor=actor, action="approve", object_type="promotion_request", object_id=str(request), reason=reason
    ):
        why = checked_reason(reason) if reason.strip() else ""
        decision = decide_stored(request, _word(actor, why))
        model = PromotionRequest.objects.numbered(request).version.model.name
        if decision.error:
            raise decision.error
    return concluded(decision, model, actor)


def _word(actor: str, reason: str) -> Word:
    def give(request: PromotionRequest, policy: Policy) -> None:
        check_other_person(request, actor)
        check_may_approve(actor, policy)
        name = person(actor)
        if request.approvals.filter(approver=name).exists():
            raise AlreadyDecidedError(f"{name} has approved request {request.pk} before", request=request.pk)
        Approval.objects.create(
            request=request,
            requester=person(request.requester),
            approver=name,
            evidence_digest=request.evidence_digest,
            reason=reason,
        )
        record_request("approve", request, actor=actor, reason=reason, event="promotion.approved")

    return give


def check_other_person(request: PromotionRequest, actor: str) -> None:
    """Refuse whoever asked for a promotion as the one who approves it.

    Parameters
    ----------
    request : PromotionRequest
        The request.
    actor : str
        Who wants to approve it.

    Raises
    ------
    OwnRequestError
        If both are one person, by whichever door each came.
    """
    if person(actor) == person(request.requester):
        raise OwnRequestError(
            f"request {request.pk} was made by {person(actor)}: somebody else has to approve it", request=request.pk
        )
