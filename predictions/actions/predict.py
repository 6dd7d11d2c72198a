"""THE predict path: every edge calls it."""

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.conf import settings

from features.errors import BadEntityError
from features.ground.errors import DomainError
from features.ground.ordered_ids import ordered_id
from predictions import engine, metrics
from predictions.actions.log_predictions import log
from predictions.actions.look_up_entities import look_up_entities
from predictions.actions.score_shadow import offer_to_shadow
from predictions.adapters.explaining import explain_rows
from predictions.adapters.limits import check_rows
from predictions.adapters.loading import LoadedVersion
from predictions.adapters.scoring import score_frame
from predictions.adapters.serving import Serving
from predictions.core.answer import PredictAnswer
from predictions.core.caller import Caller, check_may_call
from predictions.core.entities import asked_entity
from predictions.core.inputs import Columns
from predictions.core.log_entry import LogEntry
from predictions.core.parse import Payload, parse_payload
from predictions.core.scored import Scored
from predictions.core.tables import Table, frame_of
from predictions.errors import RowLimitError

logger = logging.getLogger(__name__)


# Not frozen, as what follows: one is made for each request, and a frozen one takes three times as long to make.
@dataclass(kw_only=True, slots=True)
class PredictRequest:
    """What is asked, by whom, of which model; exactly one of body, rows, records, entities and table.

    Parameters
    ----------
    principal : str
        Who asks, as `user:NAME`, `service:NAME` or `cli:NAME`.
    request_id : str
        The request's own id.
    model : str, optional
        The model's name; the default model if None.
    version : int, optional
        A version by number; whichever serves if None.
    body : bytes, optional
        The JSON text of a predict request.
    rows, records, entities : list, optional
        Cells in column order, objects by column, or entities of the online store by key or by column.
    table : Table, optional
        Columns or named rows, as other dialects send them.
    stage : str, optional
        Ask whoever holds this stage, whatever the split says.
    explain : bool, default False
        Whether to say what moved each answer.
    caller : Caller, optional
        The same, where the door verifies who asks and so knows which models they may ask.
    source : str
        Which door it came through: api, cli, stream or batch.
    """

    principal: str
    request_id: str
    model: str | None = None
    version: int | None = None
    body: bytes | None = None
    rows: Sequence[Any] | None = None
    records: Sequence[Any] | None = None
    entities: Sequence[Any] | None = None
    table: Table | None = None
    stage: str | None = None
    explain: bool = False
    caller: Caller | None = None
    source: str = "api"


@dataclass(kw_only=True, slots=True)
class _Asked:
    """Checked inputs, where they come from, and the bytes their answer may be kept by."""

    frame: Columns
    entities: tuple[str, ...] = ()
    snapshots: Mapping[str, int] = field(default_factory=dict)
    key: bytes | None = None


@dataclass(kw_only=True, slots=True)
class _Turn:
    """Who answers a request, as what and why, and the id its answer will have."""

    id: UUID
    started: float
    serving: Serving
    loaded: LoadedVersion
    role: str
    route: Mapping[str, Any] = field(default_factory=dict)
    fallback: str = ""

    def beside(self) -> Iterator[LoadedVersion]:
        """Yield who else is asked, later: the shadow, and production where a canary answered."""
        if self.serving.shadow is not None and self.role != "pinned":
            yield self.serving.shadow
        if self.role == "canary" and self.serving.production is not None and settings.CONFIG.canary.mirror:
            yield self.serving.production


def predict(request: PredictRequest) -> PredictAnswer:
    """Answer one request with the version that serves it.

    Parameters
    ----------
    request : PredictRequest
        What is asked.

    Returns
    -------
    PredictAnswer
        One prediction per row, who gave it, and its id in the prediction log.

    Raises
    ------
    InvalidRequestError
        If the inputs are malformed, or do not fit the model's columns.
    TooManyRowsError
        If there are more rows than one request may hold.
    UnknownModelError, UnknownVersionError, ModelNotReadyError
        If no such model or version is registered, or none of it is loaded.
    StageEmptyError
        If no version holds the stage that is asked.
    ModelForbiddenError, RowLimitError
        If the caller may not ask this model, or has had too many rows scored.
    ScoringError, LogUnavailableError
        If the model has no answer for these inputs, or the answer must be recorded and can't be.
    """
    started, key = time.perf_counter(), ordered_id()
    serving = engine.serving(request.model)
    check_may_call(request.caller, request.principal, serving.model, serving.callers)
    payload = None
    if request.table is None and (request.body is None or b'"entities"' in request.body):
        payload = _payload(request, serving)
    loaded, role, route = _pick(request, serving, payload, key)
    turn = _Turn(id=key, started=started, serving=serving, loaded=loaded, role=role, route=route)
    try:
        return _answer(request, turn, payload)
    except Exception as error:  # whatever a canary does is nobody's fault but its own: production answers
        if role != "canary" or serving.production is None or isinstance(error, RowLimitError):
            raise
        code = error.code if isinstance(error, DomainError) else "internal_error"
        if code == "internal_error":
            logger.exception("canary %s@%s failed, production answers", loaded.model, loaded.number)
        turn = replace(turn, loaded=serving.production, role="production", fallback=code)
    answer = _answer(request, turn, payload)
    metrics.canary_fallbacks_total.labels(loaded.model).inc()
    return answer


def _pick(
    request: PredictRequest, serving: Serving, payload: Payload | None, key: UUID
) -> tuple[LoadedVersion, str, Mapping[str, Any]]:
    """Return the version that answers, as what, and why."""
    if request.version is not None:
        return engine.version(serving.model, request.version), "pinned", {}
    if request.stage is not None:
        return serving.holder(request.stage), "pinned", {}
    return serving.pick(_entity_keys(payload, serving), key)


def _entity_keys(payload: Payload | None, serving: Serving) -> list[str]:
    """Return the keys that may decide between canary and production: the same however the entities are named."""
    anyone = serving.production or serving.canary
    if payload is None or not payload.entities or anyone is None or not anyone.views:
        return []
    try:
        return [asked_entity(item, anyone.views).key for item in payload.entities]
    except BadEntityError:
        # The look-up refuses it, and says which row it is.
        return []


def _payload(request: PredictRequest, serving: Serving) -> Payload:
    if request.body is not None:
        anyone = serving.production or serving.canary
        return parse_payload(request.body, max_depth=anyone.max_depth if anyone else 32)
    return Payload(
        rows=None if request.rows is None else list(request.rows),
        records=None if request.records is None else list(request.records),
        entities=None if request.entities is None else list(request.entities),
    )


def _answer(request: PredictRequest, turn: _Turn, payload: Payload | None = None) -> PredictAnswer:
    loaded = turn.loaded
    body = request.body if payload is None else None
    scored = loaded.cache.get(body) if body is not None else None
    asked = None
    if scored is not None:
        _count_rows(request, turn, scored.frame)
        loaded.meters.cache_hits.inc()
    else:
        asked = _asked(request, turn, payload, body)
        _count_rows(request, turn, asked.frame)
        scored = score_frame(loaded, asked.frame)
        if asked.key is not None:
            loaded.cache.put(asked.key, scored)
    loaded.meters.confidence.observe_all(scored.confidence)
    return _hand_out(request, turn, scored, asked)


def _count_rows(request: PredictRequest, turn: _Turn, frame: Columns) -> None:
    if request.caller is not None and not turn.fallback:
        check_rows(request.principal, len(next(iter(frame.values()))))


def _asked(request: PredictRequest, turn: _Turn, payload: Payload | None, body: bytes | None) -> _Asked:
    loaded = turn.loaded
    if request.table is not None:
        return _Asked(frame=frame_of(loaded.plan, request.table))
    payload = payload or _payload(request, turn.serving)
    if payload.rows is not None:
        return _Asked(frame=loaded.plan.from_rows(payload.rows), key=body)
    if payload.records is not None:
        return _Asked(frame=loaded.plan.from_records(payload.records), key=body)
    found = look_up_entities(loaded, payload.entities or [])
    return _Asked(frame=found.frame, snapshots=found.snapshots, entities=found.keys)


def _hand_out(request: PredictRequest, turn: _Turn, scored: Scored, asked: _Asked | None) -> PredictAnswer:
    now = datetime.now(UTC)
    seconds = time.perf_counter() - turn.started
    loaded, generation = turn.loaded, turn.serving.generation
    loaded.meters.request.observe(seconds)
    loaded.meters.rows.inc(len(scored.predictions))
    entry = LogEntry(
        id=turn.id,
        request_id=request.request_id,
        version_id=loaded.version_id,
        model=loaded.model,
        generation=generation,
        role=turn.role,
        principal=request.principal,
        entity_keys=asked.entities if asked else (),
        frame=scored.frame,
        predictions=scored.predictions,
        probabilities=scored.probabilities,
        latency_ms=seconds * 1000,
        at=now,
        source=request.source,
        snapshots=asked.snapshots if asked else {},
        route=turn.route,
        fallback=turn.fallback,
        hidden=loaded.hidden,
        outputs_json=scored.json,
    )
    log.offer(entry)
    for other in turn.beside():
        offer_to_shadow(other, entry)
    return PredictAnswer(
        predictions=scored.predictions,
        probabilities=scored.probabilities,
        classes=loaded.classes,
        model=loaded.model,
        version=loaded.number,
        role=turn.role,
        generation=generation,
        prediction_id=turn.id,
        request_id=request.request_id,
        at=now,
        threshold=loaded.threshold,
        explanations=explain_rows(loaded, scored.frame) if request.explain else None,
    )
