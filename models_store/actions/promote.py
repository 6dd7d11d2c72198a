"""Ask that a version take a stage: the one door through which what serves may change."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from django.db import IntegrityError, transaction
from django.utils import timezone

from features.ground.errors import bounded
from models_store.actions.audit import append_audit, audited_refusals
from models_store.actions.evaluate_gates import store_outcomes
from models_store.actions.evidence import Gathered, evidence_digest, gather_evidence
from models_store.actions.publish import published_or_warning
from models_store.actions.transition import Move, apply_move, check_generation, locked
from models_store.core import history, lifecycle
from models_store.core.gates import GateOutcome, evaluate
from models_store.core.policy import parse_policy
from models_store.core.reasons import checked_reason, gate_failure
from models_store.core.spec import parse_version
from models_store.errors import BadPromotionError, GateFailedError, PromotionConflictError
from models_store.models import ModelVersion, PromotionRequest, RegisteredModel


@dataclass(frozen=True, kw_only=True, slots=True)
class Promotion:
    """What came of asking.

    Attributes
    ----------
    request : int
        Number of the promotion request.
    state : str
        `applied`, `waiting` for approvals, or `refused`.
    gates : list of GateOutcome
        What the gates said.
    generation : int
        The model's generation afterwards.
    warning : str
        What is left to repair, where the stage changed and its files could not be published.
    """

    request: int
    state: str
    gates: list[GateOutcome]
    generation: int
    warning: str = ""


def promote(
    spec: str,
    *,
    target_stage: str,
    reason: str,
    actor: str,
    percent: int | None = None,
    expected_generation: int | None = None,
) -> Promotion:
    """Move a version to a stage, if its gates pass and nobody was faster.

    Parameters
    ----------
    spec : str
        The version, as MODEL@N.
    target_stage : str
        shadow, canary, production, archived or rejected.
    reason : str
        Why; 1 to 2000 characters.
    actor : str
        Who asks.
    percent : int, optional
        Share of requests a canary gets, 1 to 100; 10 if left out.
    expected_generation : int, optional
        The model's generation when the actor decided; as it is now, if left out.

    Returns
    -------
    Promotion
        Applied, or waiting where the policy wants approvals.

    Raises
    ------
    GateFailedError, PromotionConflictError
        If a gate said no, or the model has changed since.
    MoveNotAllowedError, BadPromotionError, BadSpecError, UnknownModelError, UnknownVersionError
        If there is no such move or version, or the request has another form.
    """
    asked = {"target_stage": target_stage, "percent": percent, "expected_generation": expected_generation}
    with audited_refusals(
        actor=actor, action="promote", object_type="model_version", object_id=spec, reason=reason, asked=asked
    ):
        move = _checked_move(target_stage, percent, reason, actor)
        version = ModelVersion.objects.resolve(str(parse_version(spec)))
        if expected_generation is not None:
            check_generation(version.model.name, expected_generation, version.model.generation)
        promotion = _decided(version, move)
    return _concluded(version, move, promotion)


def _checked_move(target_stage: str, percent: int | None, reason: str, actor: str) -> Move:
    if target_stage not in lifecycle.TARGETS:
        raise BadPromotionError(f"stage must be one of {', '.join(lifecycle.TARGETS)}, got {bounded(target_stage)!r}")
    return Move(
        action=history.PROMOTE,
        target_stage=target_stage,
        percent=lifecycle.checked_percent(target_stage, percent),
        actor=actor,
        reason=checked_reason(reason),
    )


def _decided(version: ModelVersion, move: Move) -> Promotion:
    _check_move(version, version.model, move)
    gathered = gather_evidence(version)
    try:
        with transaction.atomic(durable=True):
            return _decide(version, move, gathered)
    except IntegrityError as error:
        raise PromotionConflictError(
            f"another promotion of {version.model.name} was first: look at what is live now and ask again",
            model=version.model.name,
        ) from error


def _concluded(version: ModelVersion, move: Move, promotion: Promotion) -> Promotion:
    """Publish what was applied, or raise what was refused: the decision itself is already stored."""
    if promotion.state == PromotionRequest.State.REFUSED:
        failed = [found for found in promotion.gates if not found.passed]
        raise gate_failure(str(version), move.target_stage, failed, promotion.request)
    if promotion.state == PromotionRequest.State.APPLIED:
        return replace(promotion, warning=published_or_warning(version.model.name, move.actor))
    return promotion


def _decide(version: ModelVersion, move: Move, gathered: Gathered) -> Promotion:
    model, version = locked(version, gathered.generation)
    _check_move(version, model, move)
    policy = parse_policy(model.policy, model.task)
    outcomes = evaluate(policy.gates(move.target_stage), gathered.evidence, policy.settings)
    store_outcomes(version, move.target_stage, outcomes)
    request = PromotionRequest(
        version=version,
        target_stage=move.target_stage,
        percent=move.percent,
        reason=move.reason,
        requester=move.actor,
        evidence_digest=evidence_digest(gathered, outcomes),
        expected_generation=gathered.generation,
    )
    generation = model.generation
    if not all(found.passed for found in outcomes):
        _refuse(request, outcomes)
    elif policy.approvals and move.target_stage == lifecycle.PRODUCTION:
        _wait(request, policy.approvals)
    else:
        generation = apply_move(model, version, move)
        request.state, request.decided_at = PromotionRequest.State.APPLIED, timezone.now()
        request.save()
    return Promotion(request=request.pk, state=str(request.state), gates=outcomes, generation=generation)


def _check_move(version: ModelVersion, model: RegisteredModel, move: Move) -> None:
    # A canary may be given another share of the traffic; nothing else is asked for twice.
    if version.stage == move.target_stage == lifecycle.CANARY and model.canary_percent != move.percent:
        return
    lifecycle.check_move(str(version), version.stage, move.target_stage)


def _refuse(request: PromotionRequest, outcomes: Sequence[GateOutcome]) -> None:
    failed = [found for found in outcomes if not found.passed]
    refusal = {found.gate: {"observed": found.observed, "threshold": found.threshold} for found in failed}
    request.state, request.decided_at = PromotionRequest.State.REFUSED, timezone.now()
    request.refusal = {"gates": refusal}
    request.save()
    _audit_request("promote_refused", request, {"code": GateFailedError.code, "gates": refusal})


def _wait(request: PromotionRequest, approvals: int) -> None:
    request.save()
    _audit_request("promote_requested", request, {"approvals": approvals})


def _audit_request(action: str, request: PromotionRequest, found: dict[str, object]) -> None:
    append_audit(
        actor=request.requester,
        action=action,
        object_type="model_version",
        object_id=str(request.version),
        before={"stage": str(request.version.stage), "generation": request.expected_generation},
        after={"request": request.pk, "target_stage": request.target_stage, **found},
        reason=request.reason,
    )
