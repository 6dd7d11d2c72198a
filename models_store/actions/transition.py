"""Move a version to a stage, inside the caller's transaction."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils import timezone

from models_store.actions.audit import append_audit
from models_store.actions.outbox import emit
from models_store.core.history import PROMOTE, ROLLBACK
from models_store.core.lifecycle import CANARY, DISPLACED, SERVING
from models_store.errors import PromotionConflictError
from models_store.models import ModelVersion, PromotionRequest, RegisteredModel, Stage

EVENTS = {PROMOTE: "promotion.applied", ROLLBACK: "rollback.applied"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Move:
    """A decided change of stage.

    Attributes
    ----------
    action : str
        `promote` or `rollback`, as the audit names it.
    target_stage : str
        The stage to take.
    percent : int or None
        Share of traffic, for a canary.
    actor, reason : str
        Who asked, and why.
    request : int or None
        The promotion request it carries out.
    details : mapping
        Who approved, which gates were waived; kept in the audit.
    """

    action: str
    target_stage: str
    percent: int | None
    actor: str
    reason: str
    request: int | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


def apply_move(model: RegisteredModel, version: ModelVersion, move: Move) -> int:
    """Take the stage, displace its holder, step the generation and audit it all.

    Parameters
    ----------
    model : RegisteredModel
        Its row is locked by the caller.
    version : ModelVersion
        Read under that lock.
    move : Move
        What was decided.

    Returns
    -------
    int
        The model's new generation.
    """
    before = _state(model, version)
    # Whoever holds the stage leaves it first: the constraint allows no moment with two.
    if move.target_stage in SERVING:
        holders = model.versions.filter(stage=move.target_stage).exclude(pk=version.pk)
        holders.update(stage=DISPLACED[move.target_stage], stage_changed_at=timezone.now())
    if version.stage != move.target_stage:
        version.stage, version.stage_changed_at = Stage(move.target_stage), timezone.now()
        version.save(update_fields=["stage", "stage_changed_at"])
    if move.target_stage == CANARY:
        model.canary_percent = move.percent or 0
    elif not model.versions.filter(stage=CANARY).exists():
        model.canary_percent = 0
    model.generation += 1
    model.save(update_fields=["generation", "canary_percent"])
    voided = void_requests(model, but=move.request)
    after = {**_state(model, version), **move.details, **({"voided_requests": voided} if voided else {})}
    append_audit(
        actor=move.actor,
        action=move.action,
        object_type="model_version",
        object_id=str(version),
        before=before,
        after={**after, **({"request": move.request} if move.request else {})},
        reason=move.reason,
    )
    told = {"actor": move.actor, "reason": move.reason, "request": move.request, "target_stage": move.target_stage}
    emit(EVENTS[move.action], {"model": model.name, "version": version.number, **told, **after})
    return model.generation


def void_requests(model: RegisteredModel, *, but: int | None) -> list[int]:
    """Void the open requests of a model whose generation has moved on: they were made on what is no longer live.

    Parameters
    ----------
    model : RegisteredModel
        Its row is locked by the caller.
    but : int or None
        The request that is being carried out.

    Returns
    -------
    list of int
        Numbers of the requests that are void now.
    """
    found = PromotionRequest.objects.open().filter(version__model=model).select_related("version")
    requests = [request for request in found.order_by("pk") if request.pk != but]
    why = {"code": PromotionConflictError.code, "error": f"what is live has changed: generation {model.generation}"}
    PromotionRequest.objects.filter(pk__in=[request.pk for request in requests]).update(
        state=PromotionRequest.State.VOID, decided_at=timezone.now(), refusal=why
    )
    for request in requests:
        said = {"target_stage": request.target_stage, "request": request.pk, "requester": request.requester, **why}
        emit("promotion.void", {"model": model.name, "version": request.version.number, **said})
    return [request.pk for request in requests]


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
    check_generation(model.name, expected, model.generation)
    return model, ModelVersion.objects.select_related("model").get(pk=version.pk)


def check_generation(model: str, expected: int, generation: int) -> None:
    """Refuse what was decided on an older state of a model.

    Parameters
    ----------
    model : str
        Its name.
    expected : int
        The generation that was seen.
    generation : int
        The generation it has.

    Raises
    ------
    PromotionConflictError
        If they differ.
    """
    if generation != expected:
        raise PromotionConflictError(
            f"{model} has changed: you saw generation {expected}, it is {generation} now; "
            "look at what is live and ask again",
            expected_generation=expected,
            generation=generation,
        )


def _state(model: RegisteredModel, version: ModelVersion) -> dict[str, object]:
    serving = dict(model.versions.filter(stage__in=SERVING).values_list("stage", "number"))
    return {
        "stage": str(version.stage),
        "generation": model.generation,
        "canary_percent": model.canary_percent,
        **{stage: serving.get(stage) for stage in SERVING},
    }
