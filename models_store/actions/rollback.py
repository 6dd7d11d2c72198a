"""Return to the version that was in production before."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, replace

from django.db import IntegrityError, transaction
from django.utils import timezone

from features.ground.audit import audited_refusals
from models_store.actions.audit import append_audit
from models_store.actions.evaluate_gates import store_outcomes
from models_store.actions.evidence import Gathered, evidence_digest, gather_evidence
from models_store.actions.publish import published_or_warning
from models_store.actions.rights import check_may_promote
from models_store.actions.transition import Move, apply_move, check_generation, locked
from models_store.core import history, lifecycle
from models_store.core.gates import GateOutcome, evaluate
from models_store.core.policy import ROLLBACK, parse_policy
from models_store.core.reasons import checked_reason, gate_failure
from models_store.core.spec import checked_name
from models_store.errors import NothingToRollBackToError, PromotionConflictError
from models_store.models import AuditEntry, ModelVersion, PromotionRequest, RegisteredModel, Stage


@dataclass(frozen=True, kw_only=True, slots=True)
class Rollback:
    """What was live, what is live now, and how long it took.

    Attributes
    ----------
    from_version : int or None
        The version that was in production; None if there was none.
    to_version : int
        The version that is in production now.
    seconds : float
        From asking to published.
    generation : int
        The model's generation now.
    warning : str
        What is left to repair, where the files could not be published.
    """

    from_version: int | None
    to_version: int
    seconds: float
    generation: int
    warning: str = ""


def rollback(
    model: str,
    *,
    to: int | None = None,
    reason: str,
    actor: str,
    expected_generation: int | None = None,
    undoes: int | None = None,
) -> Rollback:
    """Put an earlier production version back, if it is sound and fits its callers.

    Parameters
    ----------
    model, reason, actor : str
        Name of the model; why, in 1 to 2000 characters; who asks.
    to, expected_generation : int, optional
        A version that was in production, or else the one before; the model's generation when the actor decided.
    undoes : int, optional
        The version in production now, put there by the rollback that this one takes back; refused if it is another.

    Returns
    -------
    Rollback
        From which version to which.

    Raises
    ------
    NothingToRollBackToError, MoveNotAllowedError
        If there is no such earlier version, or the one named is live or not in the archive.
    GateFailedError, PromotionConflictError, RightMissingError
        If a gate says no, the model has changed since, or the actor may not change what serves.
    UnknownModelError, UnknownVersionError, BadPromotionError
        If the request has another form.
    """
    started = time.perf_counter()
    asked = {"to": to, "expected_generation": expected_generation}
    about = {"actor": actor, "action": "rollback", "object_type": "registered_model", "object_id": model}
    with audited_refusals(**about, reason=reason, asked=asked):
        move = _move(checked_reason(reason), actor, undoes)
        live, version = _seen(checked_name(model), to, expected_generation, undoes)
        outcomes, generation = _applied(version, move, gather_evidence(version))
    failed = [outcome for outcome in outcomes if not outcome.passed]
    if failed:
        raise gate_failure(str(version), "production again", failed, None)
    warning = published_or_warning(version.model.name, actor)
    seconds = time.perf_counter() - started
    return Rollback(
        from_version=live, to_version=version.number, seconds=seconds, generation=generation, warning=warning
    )


def _move(reason: str, actor: str, undoes: int | None) -> Move:
    check_may_promote(actor)
    details = {} if undoes is None else {"undoes": undoes}
    return Move(
        action=history.ROLLBACK,
        target_stage=lifecycle.PRODUCTION,
        percent=None,
        actor=actor,
        reason=reason,
        details=details,
    )


def _seen(name: str, to: int | None, expected: int | None, undoes: int | None) -> tuple[int | None, ModelVersion]:
    """Return what is live and what comes back, both of one generation."""
    model = RegisteredModel.objects.named(name)
    if expected is not None:
        check_generation(name, expected, model.generation)
    live = model.versions.filter(stage=Stage.PRODUCTION).values_list("number", flat=True).first()
    if undoes not in (None, live):
        raise PromotionConflictError(
            f"{name} is no longer at version {undoes}: somebody put {live or 'none'} there", production=live
        )
    version = rollback_target(model, to)
    # What was read last must be what was seen first: nobody's promotion in between is undone unseen.
    check_generation(name, model.generation, version.model.generation)
    return live, version


def entries_of(entries: Iterable[AuditEntry], model: str) -> list[AuditEntry]:
    """Leave out entries of models whose name differs in case alone, which a database may take for one.

    Parameters
    ----------
    entries : iterable of AuditEntry
        Applied promotions and rollbacks.
    model : str
        Name of the model.

    Returns
    -------
    list of AuditEntry
        Those of this model, in the same order.
    """
    return [entry for entry in entries if entry.object_id.partition("@")[0] == model]


def rollback_target(model: RegisteredModel, to: int | None) -> ModelVersion:
    """Return the version that a rollback returns to.

    Parameters
    ----------
    model : RegisteredModel
        Any.
    to : int or None
        A version that was in production; the one before the present one, if left out.

    Returns
    -------
    ModelVersion
        One that waits in the archive.

    Raises
    ------
    NothingToRollBackToError, MoveNotAllowedError, UnknownVersionError
        If there is no such earlier version, or the one named is live or not in the archive.
    """
    entries = entries_of(AuditEntry.objects.stage_changes(model.name), model.name)
    changes = [
        history.Change(action=entry.action, production=entry.after.get("production"), undoes="undoes" in entry.after)
        for entry in entries
    ]
    if to is None:
        to = history.previous_production(changes)
        if to is None:
            raise NothingToRollBackToError(
                f"{model.name} had no production version before: promote one with "
                f"`promote {model.name}@N --stage production`",
                model=model.name,
            )
    version = ModelVersion.objects.resolve(f"{model.name}@{to}")
    lifecycle.check_rollback(str(version), version.stage)
    if to not in {change.production for change in changes}:
        raise NothingToRollBackToError(f"{version} was never in production", model=model.name, to=to)
    return version


def _applied(version: ModelVersion, move: Move, gathered: Gathered) -> tuple[list[GateOutcome], int]:
    try:
        with transaction.atomic(durable=True):
            return _apply(version, move, gathered)
    except IntegrityError as error:
        raise PromotionConflictError(
            f"another promotion of {version.model.name} was first: look at what is live now and ask again",
            model=version.model.name,
        ) from error


def _apply(version: ModelVersion, move: Move, gathered: Gathered) -> tuple[list[GateOutcome], int]:
    model, version = locked(version, gathered.generation)
    lifecycle.check_rollback(str(version), version.stage)
    policy = parse_policy(model.policy, model.task)
    outcomes = evaluate(policy.gates(ROLLBACK), gathered.evidence, policy.settings)
    store_outcomes(version, ROLLBACK, outcomes)
    failed = {outcome.gate: outcome.observed for outcome in outcomes if not outcome.passed}
    request = PromotionRequest(
        version=version,
        target_stage=move.target_stage,
        reason=move.reason,
        requester=move.actor,
        evidence_digest=evidence_digest(gathered, outcomes),
        expected_generation=gathered.generation,
        decided_at=timezone.now(),
        state=PromotionRequest.State.REFUSED if failed else PromotionRequest.State.APPLIED,
        refusal={"gates": failed} if failed else {},
    )
    request.save()
    if not failed:
        return outcomes, apply_move(model, version, replace(move, request=request.pk))
    append_audit(
        actor=move.actor,
        action="rollback_refused",
        object_type="model_version",
        object_id=str(version),
        after={"code": "gate_failed", "gates": failed},
        reason=move.reason,
    )
    return outcomes, model.generation
