"""Ask that a version take a stage: the one door through which what serves may change."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from features.ground.audit import audited_refusals
from features.ground.errors import bounded
from features.ground.tracing import traced
from models_store.actions.decide import Decision, decide, expires_at, needed_approvals
from models_store.actions.decide_stored import expire_overdue
from models_store.actions.evidence import Gathered, gather_evidence
from models_store.actions.publish import published_or_warning
from models_store.actions.rights import check_may_promote, check_may_waive
from models_store.actions.transition import check_generation, locked
from models_store.core import lifecycle
from models_store.core.calendar import HELD
from models_store.core.gates import GateOutcome
from models_store.core.policy import Policy, parse_policy
from models_store.core.reasons import checked_reason
from models_store.core.spec import parse_version
from models_store.core.waivers import checked_waivers
from models_store.errors import AlreadyAskedError, BadPromotionError, PromotionConflictError
from models_store.models import ModelVersion, PromotionRequest, RegisteredModel

MAX_AHEAD_DAYS = 366


@dataclass(frozen=True, kw_only=True, slots=True)
class Promotion:
    """What came of asking.

    Attributes
    ----------
    request : int
        Number of the promotion request.
    state : str
        `applied`, `waiting` for approvals, or `scheduled` for its time.
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


@traced("promote", lambda spec, *, target_stage, **_: {"promotion.version": spec, "promotion.stage": target_stage})
def promote(
    spec: str,
    *,
    target_stage: str,
    reason: str,
    actor: str,
    percent: int | None = None,
    expected_generation: int | None = None,
    not_before: datetime | None = None,
    waive: Mapping[str, str] | None = None,
) -> Promotion:
    """Move a version to a stage, if its gates pass and nobody was faster.

    Parameters
    ----------
    spec, target_stage : str
        The version, as MODEL@N; shadow, canary, production, archived or rejected.
    reason, actor : str
        Why, in 1 to 2000 characters; who asks.
    percent, expected_generation : int, optional
        Share of requests a canary gets, 1 to 100, or else 10; the model's generation when the actor decided.
    not_before : datetime, optional
        When it may be applied, aware; at once, if left out.
    waive : mapping of str to str, optional
        Gates that may fail, and why; the actor needs the permission to waive.

    Returns
    -------
    Promotion
        Applied, waiting where the policy wants approvals, or scheduled for its time.

    Raises
    ------
    GateFailedError, PromotionConflictError, AlreadyAskedError
        If a gate said no, the model has changed since, or an open request asks for the same.
    PromotionFrozenError, OutsideWindowError, RightMissingError
        If the policy's calendar is closed at that time, or the actor may not ask or waive.
    MoveNotAllowedError, BadPromotionError, BadSpecError, UnknownModelError, UnknownVersionError
        If there is no such move or version, or the request has another form.
    """
    ask = _Ask(target_stage, percent, reason, actor, expected_generation, not_before, dict(waive or {}))
    about = {"actor": actor, "action": "promote", "object_type": "model_version", "object_id": spec, "reason": reason}
    with audited_refusals(**about, asked=ask.said()):
        ask = ask.checked()
        version = ModelVersion.objects.resolve(str(parse_version(spec)))
        if expected_generation is not None:
            check_generation(version.model.name, expected_generation, version.model.generation)
        decision = _decided(version, ask)
    return concluded(decision, version.model.name, actor)


@dataclass(frozen=True, slots=True)
class _Ask:
    target_stage: str
    percent: int | None
    reason: str
    actor: str
    expected_generation: int | None
    not_before: datetime | None
    waive: Mapping[str, str]

    def said(self) -> dict[str, Any]:
        """Return what a refusal's entry keeps."""
        not_before = self.not_before and self.not_before.isoformat()
        asked = {"percent": self.percent, "expected_generation": self.expected_generation, "not_before": not_before}
        return {"target_stage": self.target_stage, **asked, "waive": self.waive}

    def checked(self) -> "_Ask":
        """Return the same, if such a thing can be asked for."""
        if self.target_stage not in lifecycle.TARGETS:
            allowed = ", ".join(lifecycle.TARGETS)
            raise BadPromotionError(f"stage must be one of {allowed}, got {bounded(self.target_stage)!r}")
        if self.not_before is not None:
            ahead = (self.not_before - timezone.now()).days if self.not_before.tzinfo else None
            if ahead is None or ahead > MAX_AHEAD_DAYS:
                raise BadPromotionError(
                    f"not_before is a time with a zone, at most {MAX_AHEAD_DAYS} days ahead, "
                    f"got {self.not_before.isoformat()}"
                )
        return replace(
            self,
            percent=lifecycle.checked_percent(self.target_stage, self.percent),
            reason=checked_reason(self.reason),
            not_before=self.not_before and self.not_before.astimezone(UTC),
        )


def _decided(version: ModelVersion, ask: _Ask) -> Decision:
    _check_move(version, version.model, ask)
    _check_allowed(parse_policy(version.model.policy, version.model.task), ask)
    gathered = gather_evidence(version)
    expire_overdue(version.model)
    try:
        with transaction.atomic(durable=True):
            return _decide(version, ask, gathered)
    except IntegrityError as error:
        raise PromotionConflictError(
            f"another promotion of {version.model.name} was first: look at what is live now and ask again",
            model=version.model.name,
        ) from error


def concluded(decision: Decision, model: str, actor: str) -> Promotion:
    """Publish what was applied, or raise what was refused: the decision itself is already stored.

    Parameters
    ----------
    decision : Decision
        What a request has come to.
    model : str
        Name of the model.
    actor : str
        Who brought it about.

    Returns
    -------
    Promotion
        What came of it.

    Raises
    ------
    DomainError
        What the decision holds against the request.
    """
    if decision.error:
        raise decision.error
    applied = decision.state == PromotionRequest.State.APPLIED
    return Promotion(
        request=decision.request,
        state=decision.state,
        gates=decision.gates,
        generation=decision.generation,
        warning=published_or_warning(model, actor) if applied else "",
    )


def _decide(version: ModelVersion, ask: _Ask, gathered: Gathered) -> Decision:
    model, version = locked(version, gathered.generation)
    _check_move(version, model, ask)
    policy = parse_policy(model.policy, model.task)
    # Again, under the lock: the policy may have changed since.
    waive = _check_allowed(policy, ask)
    _check_not_asked(version, ask)
    request = PromotionRequest(
        version=version,
        target_stage=ask.target_stage,
        percent=ask.percent,
        reason=ask.reason,
        requester=ask.actor,
        expected_generation=gathered.generation,
        not_before=ask.not_before,
        expires_at=expires_at(policy, ask.not_before),
    )
    return decide(request, model, version, gathered=gathered, policy=policy, waive=waive)


def _check_allowed(policy: Policy, ask: _Ask) -> dict[str, str]:
    """Return the gates to waive, if the actor may ask for this now."""
    check_may_promote(ask.actor, policy)
    waive = checked_waivers(ask.waive, policy, ask.target_stage)
    if waive:
        check_may_waive(ask.actor)
    if ask.target_stage in HELD:
        now = timezone.now()
        policy.calendar.check_freeze(max(now, ask.not_before or now))
        # What is to wait, for a time or for people, is applied when a window opens.
        if ask.not_before is None and not needed_approvals(policy, ask.target_stage):
            policy.calendar.check(now)
    return waive


def _check_not_asked(version: ModelVersion, ask: _Ask) -> None:
    found = PromotionRequest.objects.open().filter(version=version, target_stage=ask.target_stage).first()
    if found:
        raise AlreadyAskedError(
            f"request {found.pk} asks for {version} in {ask.target_stage} already and is {found.state}: "
            "approve or reject it",
            request=found.pk,
            state=str(found.state),
        )


def _check_move(version: ModelVersion, model: RegisteredModel, ask: _Ask) -> None:
    # A canary may be given another share of the traffic; nothing else is asked for twice.
    if version.stage == ask.target_stage == lifecycle.CANARY and model.canary_percent != ask.percent:
        return
    lifecycle.check_move(str(version), version.stage, ask.target_stage)
