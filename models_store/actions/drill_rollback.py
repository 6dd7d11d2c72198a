"""Measure a rollback while requests are answered: there and back, ending where it began."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone

from features.ground.audit import audited_refusals
from models_store.actions.audit import append_audit
from models_store.actions.rights import check_may_promote
from models_store.actions.rollback import Rollback, rollback, rollback_target
from models_store.adapters.artefacts import read_artefact
from models_store.adapters.load import Load
from models_store.adapters.served import Reach, Served, served_here
from models_store.core.policy import parse_policy
from models_store.core.reasons import checked_reason
from models_store.core.sample import sample_rows
from models_store.core.spec import checked_name
from models_store.errors import DrillFailedError, DrillRefusedError, PromotionConflictError
from models_store.models import ModelVersion, PromotionRequest, RegisteredModel, Stage

WAIT_S = 30.0
ATTEMPTS = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Drill:
    """What a drill measured.

    Attributes
    ----------
    live, tried : int
        The version in production before and after; the one it was rolled back to meanwhile.
    seconds_there, seconds_back : float
        Of each rollback, from asking to published.
    served_there_s, served_back_s : float or None
        Until the first answer of the version that had come back; None if none came in time.
    answers, failed, wrong, held_back : int
        Requests that were answered; that were not; answers that their version never gave; requests the server's rate
        limit sent away.
    fault : str
        The first of the failed or wrong ones.
    generation : int
        The model's generation now.
    """

    live: int
    tried: int
    seconds_there: float
    seconds_back: float
    served_there_s: float | None
    served_back_s: float | None
    answers: int
    failed: int
    wrong: int
    held_back: int
    fault: str
    generation: int


def drill_rollback(model: str, *, reason: str, actor: str, reach: Reach = served_here) -> Drill:
    """Roll back under load and return to where it began, and keep what was measured as an audit entry.

    Parameters
    ----------
    model, reason, actor : str
        Name of the model; why, in 1 to 2000 characters; who asks.
    reach : callable
        How the served model is reached; the engine of this process, if left out.

    Returns
    -------
    Drill
        What was measured.

    Raises
    ------
    DrillRefusedError, PromotionFrozenError, OutsideWindowError
        If nothing is in production, an open request would be voided, or the calendar is closed: nothing was changed.
    DrillFailedError
        If a request failed, an answer was wrong, or a version did not take over; the model is back where it began.
    NothingToRollBackToError, GateFailedError, PromotionConflictError, RightMissingError, BadPromotionError
        As for `rollback`.
    """
    with audited_refusals(
        actor=actor, action="rollback_drill", object_type="registered_model", object_id=model, reason=reason
    ):
        why = checked_reason(reason)
        check_may_promote(actor)
        found = RegisteredModel.objects.named(checked_name(model))
        live, target = _checked(found)
        with reach(found.name) as served:
            drill = _drilled(live, target, served, reason=why, actor=actor)
    _store(found.name, drill, why, actor)
    if drill.failed or drill.wrong or None in (drill.served_there_s, drill.served_back_s):
        raise DrillFailedError(
            f"the drill of {model} ended where it began, but {drill.failed} requests failed and {drill.wrong} answers "
            f"were wrong of {drill.answers}, or a version did not answer within {WAIT_S:g} s: {drill.fault or '-'}",
            **asdict(drill),
        )
    return drill


def _checked(model: RegisteredModel) -> tuple[ModelVersion, ModelVersion]:
    live = model.versions.filter(stage=Stage.PRODUCTION).select_related("model").first()
    if live is None:
        raise DrillRefusedError(f"{model.name} has no version in production: nothing to drill", model=model.name)
    # A change of stage voids what people are asked to decide on; a drill must leave everything as it was.
    waiting = PromotionRequest.objects.open().filter(version__model=model).values_list("pk", flat=True).first()
    if waiting:
        raise DrillRefusedError(
            f"request {waiting} is open and a drill would void it: decide on it first",
            model=model.name,
            request=waiting,
        )
    calendar = parse_policy(model.policy, model.task).calendar
    calendar.check_freeze(timezone.now())
    calendar.check(timezone.now())
    return live, rollback_target(model, None)


def _drilled(live: ModelVersion, target: ModelVersion, served: Served, *, reason: str, actor: str) -> Drill:
    rows = _rows(live)
    canary = live.model.versions.filter(stage=Stage.CANARY).values_list("number", flat=True)
    numbers = {live.number, target.number, *canary}
    expected = {number: [served.ask(row, number).answer for row in rows] for number in numbers}
    name, said = live.model.name, f"drill: {reason}"[:2000]
    with Load(served, rows, expected) as load:
        load.wait_for(live.number, WAIT_S)
        there = rollback(name, to=target.number, reason=said, actor=actor)
        try:
            served_there = load.wait_for(target.number, WAIT_S)
        finally:
            # Whatever befell the load: production goes back to where it was.
            back = _returned(name, there, said, actor)
        served_back = load.wait_for(live.number, WAIT_S)
    return Drill(
        live=live.number,
        tried=target.number,
        seconds_there=round(there.seconds, 3),
        seconds_back=round(back.seconds, 3),
        served_there_s=served_there and round(served_there, 3),
        served_back_s=served_back and round(served_back, 3),
        answers=load.by_version.total(),
        failed=load.failed,
        wrong=load.wrong,
        held_back=load.held_back,
        fault=load.first_fault,
        generation=back.generation,
    )


def _rows(version: ModelVersion) -> Sequence[Sequence[Any]]:
    kept: Sequence[Sequence[Any]] | None = read_artefact(version).manifest.get("sample")
    return kept or sample_rows(version.input_schema)


def _returned(model: str, there: Rollback, reason: str, actor: str, attempts: int = ATTEMPTS) -> Rollback:
    """Go back, unless somebody has put another version into production meanwhile: their word stands."""
    try:
        return rollback(model, to=there.from_version, reason=reason, actor=actor, undoes=there.to_version)
    except PromotionConflictError:
        versions = ModelVersion.objects.filter(model__name=model, number=there.to_version)
        if attempts == 1 or not versions.filter(stage=Stage.PRODUCTION).exists():
            raise
    # Something else of the model changed at the same moment: what is live is still ours to give back.
    return _returned(model, there, reason, actor, attempts - 1)


def _store(model: str, drill: Drill, reason: str, actor: str) -> None:
    with transaction.atomic(durable=True):
        append_audit(
            actor=actor,
            action="rollback_drill",
            object_type="registered_model",
            object_id=model,
            before={"production": drill.live},
            after={"production": drill.live, **asdict(drill)},
            reason=reason,
        )
