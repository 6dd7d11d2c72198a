"""Decide on a promotion request: the one door for fresh, approved and scheduled ones alike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from features.ground.errors import DomainError
from models_store.actions.evaluate_gates import store_outcomes
from models_store.actions.evidence import Gathered, evidence_digest
from models_store.actions.record_request import close_request, record_request
from models_store.actions.transition import Move, apply_move
from models_store.core import history, lifecycle
from models_store.core.calendar import HELD
from models_store.core.gates import GateOutcome, evaluate
from models_store.core.policy import Policy
from models_store.core.reasons import gate_failure
from models_store.core.waivers import check_needed
from models_store.errors import EvidenceChangedError, GateFailedError
from models_store.models import ModelVersion, PromotionRequest, RegisteredModel, Waiver

State = PromotionRequest.State


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """What a request has come to.

    Attributes
    ----------
    request : int
        Number of the promotion request.
    state : str
        `applied`, `scheduled`, `waiting` for approvals, or one of the ends.
    gates : list of GateOutcome
        What the gates said now; empty if they were not asked.
    generation : int
        The model's generation afterwards.
    error : DomainError or None
        To be raised once the decision is stored.
    """

    request: int
    state: str
    gates: list[GateOutcome]
    generation: int
    error: DomainError | None = None


def needed_approvals(policy: Policy, target_stage: str) -> int:
    """Return how many people must agree before a stage is taken.

    Parameters
    ----------
    policy : Policy
        Of the model.
    target_stage : str
        The stage asked for.

    Returns
    -------
    int
        0 for every stage but production.
    """
    return policy.approvals if target_stage == lifecycle.PRODUCTION else 0


def expires_at(policy: Policy, not_before: datetime | None) -> datetime:
    """Return until when a request that is made now may be applied.

    Parameters
    ----------
    policy : Policy
        Of the model.
    not_before : datetime or None
        When it may first be applied.

    Returns
    -------
    datetime
        Counted from then.
    """
    now = timezone.now()
    return max(now, not_before or now) + timedelta(hours=policy.request_expires_hours)


def decide(
    request: PromotionRequest,
    model: RegisteredModel,
    version: ModelVersion,
    *,
    gathered: Gathered,
    policy: Policy,
    waive: Mapping[str, str] | None = None,
) -> Decision:
    """Evaluate the gates on the evidence, and apply, schedule, keep waiting, refuse or void the request.

    Parameters
    ----------
    request : PromotionRequest
        A new one that is not stored yet, or an open one, read under the lock.
    model : RegisteredModel
        Its row is locked by the caller.
    version : ModelVersion
        Of the request.
    gathered, policy : Gathered and Policy
        The evidence, of the model's present generation; the model's policy.
    waive : mapping of str to str, optional
        Of a new request: gates to waive, and why.

    Returns
    -------
    Decision
        What is stored when the caller's transaction ends.

    Raises
    ------
    BadPromotionError
        If a gate is to be waived that passes.
    """
    outcomes = evaluate(policy.gates(request.target_stage), gathered.evidence, policy.settings)
    store_outcomes(version, request.target_stage, outcomes)
    if request.pk is None:
        _store(request, outcomes, evidence_digest(gathered, outcomes, waive or ()), waive or {})
    waived = {found.gate: found.reason for found in request.waivers.all()}
    if evidence_digest(gathered, outcomes, waived) != request.evidence_digest:
        return _void(request, model, outcomes)
    failed = [found for found in outcomes if not found.passed and found.gate not in waived]
    if failed:
        return _refused(request, model, outcomes, failed)
    missing = needed_approvals(policy, request.target_stage) - _approvals(request)
    if missing > 0:
        return _waits(request, model, outcomes, missing)
    if not _may_apply_now(request, policy):
        return _scheduled(request, model, policy, outcomes)
    return _applied(request, model, version, outcomes, waived)


def _store(request: PromotionRequest, outcomes: Sequence[GateOutcome], digest: str, waive: Mapping[str, str]) -> None:
    check_needed(waive, outcomes)
    request.evidence_digest = digest
    request.save()
    said = {found.gate: found for found in outcomes}
    Waiver.objects.bulk_create(
        Waiver(
            request=request,
            gate=gate,
            actor=request.requester,
            reason=reason,
            observed=said[gate].observed,
            threshold=said[gate].threshold,
        )
        for gate, reason in waive.items()
    )


def _approvals(request: PromotionRequest) -> int:
    # Bound to the evidence: a word on another digest counts for nothing.
    return request.approvals.filter(approved=True, evidence_digest=request.evidence_digest).count()


def _may_apply_now(request: PromotionRequest, policy: Policy) -> bool:
    now = timezone.now()
    if request.not_before and request.not_before > now:
        return False
    return request.target_stage not in HELD or policy.calendar.is_open(now)


def _void(request: PromotionRequest, model: RegisteredModel, outcomes: list[GateOutcome]) -> Decision:
    error = EvidenceChangedError(
        f"request {request.pk} is void: metrics, gates, policy or artefact are not those it was made on; ask again",
        request=request.pk,
    )
    close_request(request, State.VOID, error)
    return _decision(request, model, outcomes, error=error)


def _refused(
    request: PromotionRequest, model: RegisteredModel, outcomes: list[GateOutcome], failed: Sequence[GateOutcome]
) -> Decision:
    said = {found.gate: {"observed": found.observed, "threshold": found.threshold} for found in failed}
    request.state, request.decided_at, request.refusal = State.REFUSED, timezone.now(), {"gates": said}
    request.save()
    record_request(
        "promote_refused",
        request,
        actor=request.requester,
        reason=request.reason,
        event="promotion.refused",
        found={"code": GateFailedError.code, "gates": said},
    )
    error = gate_failure(str(request.version), request.target_stage, failed, request.pk)
    return _decision(request, model, outcomes, error=error)


def _waits(request: PromotionRequest, model: RegisteredModel, outcomes: list[GateOutcome], missing: int) -> Decision:
    # An approved request waits again where the policy has come to ask for more people.
    is_new = not request.approvals.exists()
    request.state = State.WAITING
    request.save()
    if is_new:
        _record_open("promote_requested", request, "promotion.requested", {"approvals": missing})
    return _decision(request, model, outcomes)


def _scheduled(
    request: PromotionRequest, model: RegisteredModel, policy: Policy, outcomes: list[GateOutcome]
) -> Decision:
    was, request.state = request.state, State.SCHEDULED
    request.save()
    if was != State.SCHEDULED:
        opens = policy.calendar.next_open(max(timezone.now(), request.not_before or timezone.now()))
        found = {"not_before": request.not_before and request.not_before.isoformat()}
        found["opens"] = opens and opens.isoformat()
        _record_open("promote_scheduled", request, "promotion.scheduled", found)
    return _decision(request, model, outcomes)


def _record_open(action: str, request: PromotionRequest, event: str, found: dict[str, Any]) -> None:
    waived = {waiver.gate: waiver.reason for waiver in request.waivers.all()}
    expires = request.expires_at and request.expires_at.isoformat()
    found = {**found, "expires_at": expires, **({"waived": waived} if waived else {})}
    record_request(action, request, actor=request.requester, reason=request.reason, event=event, found=found)


def _applied(
    request: PromotionRequest,
    model: RegisteredModel,
    version: ModelVersion,
    outcomes: list[GateOutcome],
    waived: Mapping[str, str],
) -> Decision:
    approvers = sorted(request.approvals.filter(approved=True).values_list("approver", flat=True))
    details = {"approved_by": approvers, "waived": dict(waived)}
    move = Move(
        action=history.PROMOTE,
        target_stage=request.target_stage,
        percent=request.percent,
        actor=request.requester,
        reason=request.reason,
        request=request.pk,
        details={name: value for name, value in details.items() if value},
    )
    request.state, request.decided_at = State.APPLIED, timezone.now()
    request.save()
    apply_move(model, version, move)
    return _decision(request, model, outcomes)


def _decision(
    request: PromotionRequest, model: RegisteredModel, outcomes: list[GateOutcome], error: DomainError | None = None
) -> Decision:
    return Decision(
        request=request.pk, state=str(request.state), gates=outcomes, generation=model.generation, error=error
    )
