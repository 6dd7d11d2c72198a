"""The predict path for the plain case: rows asked of production, with nothing beside it.

The same steps as `predict`, in one function and without the objects between them; a suite compares their answers.
"""

import time
from datetime import UTC, datetime
from uuid import UUID

from features.ground.ordered_ids import ordered_id
from features.ground.quick_settings import setting
from predictions import engine
from predictions.actions.log_predictions import log
from predictions.adapters.loading import LoadedVersion
from predictions.adapters.scoring import score_frame
from predictions.core.answer import answer_json
from predictions.core.caller import Caller, check_may_call
from predictions.core.inputs import Columns
from predictions.core.log_entry import LogEntry
from predictions.core.parse import parse_payload
from predictions.core.scored import Scored


def predict_plain(body: bytes, *, caller: Caller, request_id: str, model: str | None) -> bytes | None:
    """Answer a JSON body with the version in production, where nothing about the request is out of the ordinary.

    Parameters
    ----------
    body : bytes
        The JSON text of a predict request.
    caller : Caller
        Who asks.
    request_id : str
        The request's own id.
    model : str, optional
        The model's name; the default model if None.

    Returns
    -------
    bytes or None
        The JSON text of the answer; None, with nothing done, where `predict` must decide: a canary or a shadow is
        there, rows are limited, or entities are asked about.

    Raises
    ------
    InvalidRequestError, TooManyRowsError, UnknownModelError, ModelForbiddenError, ScoringError, LogUnavailableError
        As `predict`.
    """
    started, key = time.perf_counter(), ordered_id()
    serving = engine.serving(model)
    loaded = serving.production
    if loaded is None or serving.canary is not None or serving.shadow is not None:
        return None
    if setting("CONFIG").row_rate_limit != "off":
        return None
    check_may_call(caller, caller.name, serving.model, serving.callers)
    scored, text = _scored(body, loaded)
    if scored is None:
        return None
    asked = (request_id, caller.name, serving.generation, text)
    return _hand_out(asked, loaded, scored, key, started)


def _hand_out(
    asked: tuple[str, str, int, bytes], loaded: LoadedVersion, scored: Scored, key: UUID, started: float
) -> bytes:
    """Count and log an answer, and return its bytes."""
    request_id, principal, generation, text = asked
    meters, at, seconds = loaded.meters, datetime.now(UTC), time.perf_counter() - started
    meters.confidence.observe_all(scored.confidence)
    meters.request.observe(seconds)
    meters.rows.inc(len(scored.predictions))
    entry = LogEntry(
        id=key,
        request_id=request_id,
        version_id=loaded.version_id,
        model=loaded.model,
        generation=generation,
        role="production",
        principal=principal,
        entity_keys=(),
        frame=scored.frame,
        predictions=scored.predictions,
        probabilities=scored.probabilities,
        latency_ms=seconds * 1000,
        at=at,
        source="api",
        hidden=loaded.hidden,
        inputs_json=text,
        outputs_json=scored.json,
    )
    log.offer(entry)
    return answer_json(scored.json, loaded.about, key, at)


def _scored(body: bytes, loaded: LoadedVersion) -> tuple[Scored | None, bytes]:
    """Return what the version says, and the text of rows of numbers: the log keeps it as the client wrote it."""
    scored = loaded.cache.get(body)
    if scored is not None:
        loaded.meters.cache_hits.inc()
        return scored, b""
    payload, text = parse_payload(body, max_depth=loaded.max_depth), b""
    if payload.entities is not None:
        return None, text
    frame: Columns | None = None
    if payload.rows is not None:
        text = body[body.index(b"[") : body.rindex(b"]") + 1]
        if (frame := loaded.plan.plain_frame(payload.rows, text)) is None:
            text, frame = b"", loaded.plan.from_rows(payload.rows)
    else:
        frame = loaded.plan.from_records(payload.records or ())
    scored = score_frame(loaded, frame)
    loaded.cache.put(body, scored)
    return scored, text
