"""THE predict path: every edge calls it."""

import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from features.errors import BadEntityError
from predictions import engine
from predictions.actions.log_predictions import log
from predictions.actions.look_up_entities import look_up_entities
from predictions.actions.score_shadow import offer_to_shadow
from predictions.adapters.cache import Scored
from predictions.adapters.loading import LoadedVersion
from predictions.adapters.scoring import score_frame
from predictions.adapters.serving import Serving
from predictions.core.answer import LogEntry, PredictAnswer
from predictions.core.entities import asked_entity
from predictions.core.inputs import Columns
from predictions.core.parse import Payload, parse_payload


@dataclass(frozen=True, kw_only=True, slots=True)
class PredictRequest:
    """What is asked, by whom, of which model; exactly one of body, rows, records and entities.

    Parameters
    ----------
    principal : str
        Who asks, as `user:NAME`, `service:NAME` or `cli:NAME`.
    request_id : str
        The request's own id; it decides between canary and production where there is no entity.
    model : str, optional
        The model's name; the default model if None.
    version : int, optional
        A version by number; whichever serves if None.
    body : bytes, optional
        The JSON text of a predict request.
    rows, records, entities : list, optional
        Cells in column order, objects by column, or entities of the online store by key or by column.
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
    source: str = "api"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Asked:
    """Checked inputs, the entities they belong to, and the bytes their answer may be kept by."""

    frame: Columns
    entities: tuple[str, ...] = ()
    key: bytes | None = None


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
    UnknownModelError, UnknownVersionError
        If no such model or version is registered.
    ModelNotReadyError
        If no version of the model is loaded.
    ScoringError
        If the model has no answer for these inputs.
    """
    started = time.perf_counter()
    serving = engine.serving(request.model)
    if request.version is not None:
        return _answer(request, engine.version(serving.model, request.version), "pinned", serving, started)
    payload = None
    unit = request.request_id
    if request.body is None or b'"entities"' in request.body:
        payload = _payload(request, serving)
        unit = _first_key(payload, serving) or unit
    loaded, role = serving.pick(unit)
    return _answer(request, loaded, role, serving, started, payload)


def _first_key(payload: Payload, serving: Serving) -> str | None:
    """Return the key that decides between canary and production: the same however the entity is named."""
    anyone = serving.production or serving.canary
    if not payload.entities or anyone is None or not anyone.views:
        return None
    try:
        return asked_entity(payload.entities[0], anyone.views).key
    except BadEntityError:
        # The look-up refuses it, and says which row it is.
        return None


def _payload(request: PredictRequest, serving: Serving) -> Payload:
    if request.body is not None:
        anyone = serving.production or serving.canary
        return parse_payload(request.body, max_depth=anyone.max_depth if anyone else 32)
    return Payload(
        rows=None if request.rows is None else list(request.rows),
        records=None if request.records is None else list(request.records),
        entities=None if request.entities is None else list(request.entities),
    )


def _answer(
    request: PredictRequest,
    loaded: LoadedVersion,
    role: str,
    serving: Serving,
    started: float,
    payload: Payload | None = None,
) -> PredictAnswer:
    body = request.body if payload is None else None
    scored = loaded.cache.get(body) if body is not None else None
    entities: tuple[str, ...] = ()
    if scored is not None:
        loaded.meters.cache_hits.inc()
    else:
        asked = _asked(loaded, payload or _payload(request, serving), body)
        scored, entities = score_frame(loaded, asked.frame), asked.entities
        if asked.key is not None:
            loaded.cache.put(asked.key, scored)
    for share in scored.confidence:
        loaded.meters.confidence.observe(share)
    return _hand_out(request, loaded, role, serving, scored, entities, started)


def _asked(loaded: LoadedVersion, payload: Payload, body: bytes | None) -> _Asked:
    if payload.rows is not None:
        return _Asked(frame=loaded.plan.from_rows(payload.rows), key=body)
    if payload.records is not None:
        return _Asked(frame=loaded.plan.from_records(payload.records), key=body)
    frame, keys = look_up_entities(loaded, payload.entities or [])
    return _Asked(frame=frame, entities=keys)


def _hand_out(
    request: PredictRequest,
    loaded: LoadedVersion,
    role: str,
    serving: Serving,
    scored: Scored,
    entities: tuple[str, ...],
    started: float,
) -> PredictAnswer:
    now = datetime.now(UTC)
    seconds = time.perf_counter() - started
    loaded.meters.request.observe(seconds)
    entry = LogEntry(
        id=uuid.uuid4(),
        request_id=request.request_id,
        version_id=loaded.version_id,
        model=loaded.model,
        generation=serving.generation,
        role=role,
        principal=request.principal,
        entity_keys=entities,
        frame=scored.frame,
        predictions=scored.predictions,
        probabilities=scored.probabilities,
        latency_ms=seconds * 1000,
        at=now,
        source=request.source,
    )
    log.offer(entry)
    if serving.shadow is not None and role != "pinned":
        offer_to_shadow(serving.shadow, entry)
    return PredictAnswer(
        predictions=scored.predictions,
        probabilities=scored.probabilities,
        classes=loaded.classes,
        model=loaded.model,
        version=loaded.number,
        role=role,
        generation=serving.generation,
        prediction_id=entry.id,
        request_id=request.request_id,
        at=now,
    )
