"""Ask that a version take a stage: the one door through which what serves may change."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import IntegrityError, transaction
from django.utils import timezone

from features.ground.errors import DomainError, bounded
from models_store.actions.audit import MAX_REASON, append_audit, audited_refusals
from models_store.actions.evaluate_gates import store_outcomes
from models_store.actions.evidence import Gathered, evidence_digest, gather_evidence
from models_store.actions.publish import publish_production
from models_store.actions.transition import Move, apply_move
from models_store.core import lifecycle
from models_store.core.gates import GateOutcome, evaluate
from models_store.core.policy import parse_policy
from models_store.core.spec import parse_version
from models_store.errors import BadPromotionError, GateFailedError, PromotionConflictError
from models_store.models import ModelVersion, PromotionRequest, RegisteredModel

logger = logging.getLogger(__name__)


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
    GateFailedError
        If a gate said no; the refusal is stored and audited.
    PromotionConflictError
        If the model has changed since; nothing was done.
    MoveNotAllowedError, BadPromotionError
        If there is no such move, or the request has another form.
    UnknownModelError, UnknownVersionError, BadSpecError
        If the version is not there.
    """
    asked = {"target_stage": target_stage, "percent": percent, "expected_generation": expected_generation}
    with audited_refusals(
        actor=actor, action="promote", object_type="model_version", object_id=spec, reason=reason, asked=asked
    ):
        move = Move(
            action="promote",
            target_stage=_checked_target(target_stage),
            percent=lifecycle.checked_percent(target_stage, percent),
            actor=actor,
            reason=checked_reason(reason),
        )
        version = ModelVersion.objects.resolve(str(parse_version(spec)))
        _check_move(version, version.model, move)
        gathered = gather_evidence(version)
        if expected_generation is not None:
            _check_generation(version.model.name, expected_generation, gathered.generation)
        promotion = _decided(version, move, gathered)
    failed = [found for found in promotion.gates if not found.passed]
    if promotion.state == PromotionRequest.State.REFUSED:
        raise gate_failure(str(version), target_stage, failed, promotion.request)
    if promotion.state == PromotionRequest.State.APPLIED:
        return with_published(version.model.name, actor, promotion)
    return promotion


def _decided(version: ModelVersion, move: Move, gathered: Gathered) -> Promotion:
    try:
        with transaction.atomic(durable=True):
            return _decide(version, move, gathered)
    except IntegrityError as error:
        raise PromotionConflictError(
            f"another promotion of {version.model.name} was first: look at what is live now and ask again",
            model=version.model.name,
        ) from error


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


def locked(version: ModelVersion, expected: int) -> tuple[RegisteredModel, ModelVersion]:
    """Lock the model's row, refuse a stale view of it, and read the version again.

    Parameters
    ----------
    version : ModelVersion
        As read before the lock.
    expected : int
        The generation the evidence belongs to.

    Returns
    -------
    tuple of RegisteredModel and ModelVersion
        Both as they are under the lock.

    Raises
    ------
    PromotionConflictError
        If the generation has moved on.
    """
    # Lock the model's row: two promotions may race for one stage.
    model = RegisteredModel.objects.select_for_update().get(pk=version.model_id)
    _check_generation(model.name, expected, model.generation)
    return model, ModelVersion.objects.select_related("model").get(pk=version.pk)


def _check_generation(model: str, expected: int, generation: int) -> None:
    if generation != expected:
        raise PromotionConflictError(
            f"{model} has changed: you saw generation {expected}, it is {generation} now; "
            "look at what is live and ask again",
            expected_generation=expected,
            generation=generation,
        )


def gate_failure(spec: str, target_stage: str, failed: Sequence[GateOutcome], request: int | None) -> GateFailedError:
    """Return the error that names the gates which said no.

    Parameters
    ----------
    spec : str
        The version.
    target_stage : str
        What it was to become.
    failed : sequence of GateOutcome
        The gates that said no.
    request : int or None
        Number of the refused promotion request.

    Returns
    -------
    GateFailedError
        To be raised once the refusal is stored.
    """
    said = "; ".join(f"{found.gate} (wanted {found.threshold}, got {found.observed})" for found in failed)
    gates = [{"gate": found.gate, "observed": found.observed, "threshold": found.threshold} for found in failed]
    return GateFailedError(
        f"{spec} may not go to {target_stage}: {said}", gates=gates, target_stage=target_stage, request=request
    )


def checked_reason(reason: str) -> str:
    """Return the reason, if a person could read it.

    Parameters
    ----------
    reason : str
        What the actor wrote.

    Returns
    -------
    str
        Without space around it.

    Raises
    ------
    BadPromotionError
        If it is empty, over 2000 characters, or holds what no database stores.
    """
    text = reason.strip()
    if not 0 < len(text) <= MAX_REASON:
        raise BadPromotionError(f"a reason of 1 to {MAX_REASON} characters is needed, got {len(text)}", got=len(text))
    if "\x00" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise BadPromotionError("a reason is plain text, got NUL or half a character")
    return text


def with_published(model: str, actor: str, promotion: Promotion) -> Promotion:
    """Publish what is in production now; what can't be published is logged, audited and told.

    Parameters
    ----------
    model : str
        Name of the model.
    actor : str
        Who changed it.
    promotion : Promotion
        What has been committed, and stays so.

    Returns
    -------
    Promotion
        The same, with a warning where the files are not yet at the stable path.
    """
    warning = published_or_warning(model, actor)
    return Promotion(
        request=promotion.request,
        state=promotion.state,
        gates=promotion.gates,
        generation=promotion.generation,
        warning=warning,
    )


def published_or_warning(model: str, actor: str) -> str:
    """Publish the production version; answer what went wrong, if anything did.

    Parameters
    ----------
    model : str
        Name of the model.
    actor : str
        Who changed what is in production.

    Returns
    -------
    str
        Empty, or what a person must repair.
    """
    try:
        publish_production(model)
    except DomainError as error:
        logger.error("publishing failed", extra={"model": model, "reason": error.message})
        with transaction.atomic(durable=True):
            append_audit(
                actor=actor,
                action="publish_failed",
                object_type="registered_model",
                object_id=model,
                after={"code": error.code, "error": error.message},
            )
        return f"the stage has changed, and the files at the stable path have not: {error.message}"
    return ""


def _checked_target(stage: str) -> str:
    if stage not in lifecycle.TARGETS:
        raise BadPromotionError(f"stage must be one of {', '.join(lifecycle.TARGETS)}, got {bounded(stage)!r}")
    return stage


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
