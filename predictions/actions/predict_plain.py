"""The predict path for the plain case: rows asked of production, with nothing beside it.

The same steps as `predict`, in few functions and without the objects between them; a suite compares their answers.
"""

import math
import time
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from features.ground.ordered_ids import ordered_number
from features.ground.quick_settings import setting
from predictions import engine
from predictions.actions.log_predictions import log
from predictions.adapters.loading import LoadedVersion, ScoreRow
from predictions.adapters.scoring import score_frame
from predictions.core.answer import about_answer, answer_json
from predictions.core.arrow_tables import arrow_stream, parse_arrow
from predictions.core.bulk_json import LONG
from predictions.core.caller import Caller, check_may_call
from predictions.core.inputs import Columns
from predictions.core.log_entry import LogEntry, RowEntry, time_of
from predictions.core.parse import payload_of, read_json
from predictions.core.scored import Scored
from predictions.core.tables import frame_of


def predict_plain(
    body: bytes, *, caller: Caller, request_id: str, model: str | None, arrow: bool = False
) -> bytes | None:
    """Answer a body with the version in production, where nothing about the request is out of the ordinary.

    Parameters
    ----------
    body : bytes
        The JSON text of a predict request, or an Arrow stream.
    caller : Caller
        Who asks.
    request_id : str
        The request's own id.
    model : str, optional
        The model's name; the default model if None.
    arrow : bool, default False
        Whether the body is an Arrow stream, and the answer shall be one.

    Returns
    -------
    bytes or None
        The JSON text of the answer, or its stream; None, with nothing done, where `predict` must decide: a canary or
        a shadow is there, rows are limited, or entities are asked about.

    Raises
    ------
    InvalidRequestError, TooManyRowsError, UnknownModelError, ModelForbiddenError, ScoringError, LogUnavailableError
        As `predict`.
    """
    started, now = time.perf_counter(), time.time_ns()
    serving = engine.serving(model)
    loaded = serving.production
    if loaded is None or serving.canary is not None or serving.shadow is not None:
        return None
    if setting("CONFIG").row_rate_limit != "off":
        return None
    check_may_call(caller, caller.name, serving.model, serving.callers)
    asked = _Asked(request_id, caller.name, serving.generation, loaded, now, started)
    return _answer_arrow(asked, body) if arrow else _answer_json(asked, body)


def answers_at_once(model: str | None) -> bool:
    """Tell whether `predict_plain` answers without waiting for a slow model, a model's file, the database or a disk.

    Parameters
    ----------
    model : str, optional
        The model's name; the default model if None.

    Returns
    -------
    bool
        False also where it would leave the answer to `predict`.
    """
    serving, config = engine.at_hand(model), setting("CONFIG")
    return (
        serving is not None
        and serving.production is not None
        and serving.production.is_quick
        and serving.canary is None
        and serving.shadow is None
        and config.row_rate_limit == "off"
        and not config.prediction_log.durable
    )


class _Asked(NamedTuple):
    """Who asks whom, and since when."""

    request_id: str
    principal: str
    generation: int
    loaded: LoadedVersion
    now: int
    started: float


def _answer_json(asked: _Asked, body: bytes) -> bytes | None:
    loaded = asked.loaded
    if (scored := loaded.cache.get(body)) is not None:
        loaded.meters.cache_hits.inc()
        return _hand_out(asked, scored, b"")
    if len(body) >= LONG and (plain := loaded.plan.plain) is not None and (read := plain.read(body)) is not None:
        return _hand_out(asked, _scored(loaded, read, body), _list_in(body))
    value = read_json(body, max_depth=loaded.max_depth)
    if type(value) is dict and len(value) == 1 and type(rows := value.get("data")) is list and rows:
        return _answer_rows(asked, body, rows)
    payload = payload_of(value)
    if payload.entities is not None:
        return None
    frame = loaded.plan.from_records(payload.records or ())
    return _hand_out(asked, _scored(loaded, frame, body), b"")


def _answer_rows(asked: _Asked, body: bytes, rows: list[Any]) -> bytes:
    """Answer a list of rows; the log keeps rows of numbers as the client wrote them."""
    loaded = asked.loaded
    plain, text = loaded.plan.plain, _list_in(body)
    if plain is not None:
        if len(rows) == 1 and loaded.score_row is not None and (cells := plain.row(rows, text)) is not None:
            answer = _answer_row(asked, loaded.score_row, cells, text, body)
            if answer is not None:
                return answer
        if (frame := plain.frame(rows, text)) is not None:
            return _hand_out(asked, _scored(loaded, frame, body), text)
    return _hand_out(asked, _scored(loaded, loaded.plan.from_rows(rows), body), b"")


def _list_in(body: bytes) -> bytes:
    """Return the text of the only list, with the lists in it."""
    return body[body.index(b"[") : body.rindex(b"]") + 1]


def _answer_row(asked: _Asked, score_row: ScoreRow, cells: list[float], text: bytes, body: bytes) -> bytes | None:
    """Answer one row of numbers; None, with nothing done, if the model has no finite answer."""
    request_id, principal, generation, loaded, now, started = asked
    began = time.perf_counter()
    prediction, shares = score_row(cells)
    ended = time.perf_counter()
    confidence: float | None = None
    if shares is not None:
        if not all(map(math.isfinite, shares)):
            return None
        confidence = max(shares)
        outputs = orjson.dumps({"predictions": [prediction], "probabilities": [shares]})
    elif loaded.classes or math.isfinite(prediction):
        outputs = orjson.dumps({"predictions": [prediction]})
    else:
        return None
    number = ordered_number(now)
    seconds = time.perf_counter() - started
    entry = RowEntry(
        number, now, loaded.logged, generation, request_id, principal, cells, text, outputs, seconds * 1000
    )
    if loaded.cache.size:
        known = [] if confidence is None else [confidence]
        probabilities = None if shares is None else [[*shares]]
        loaded.cache.put(body, Scored(entry.frame, [prediction], probabilities, known, outputs))
    loaded.meters.alone.note((ended - began, seconds, confidence))
    log.offer(entry)
    return answer_json(outputs, loaded.about, number, now)


def _answer_arrow(asked: _Asked, body: bytes) -> bytes:
    loaded = asked.loaded
    table = parse_arrow(body, max_rows=loaded.plan.limits.max_rows)
    scored = score_frame(loaded, frame_of(loaded.plan, table))
    number = _note(asked, scored, b"")
    about = about_answer(loaded.model, loaded.number, "production", UUID(int=number), time_of(asked.now))
    return arrow_stream(scored.predictions, scored.shares, about)


def _hand_out(asked: _Asked, scored: Scored, text: bytes) -> bytes:
    """Count and log an answer, and return its bytes."""
    return answer_json(scored.json, asked.loaded.about, _note(asked, scored, text), asked.now)


def _note(asked: _Asked, scored: Scored, text: bytes) -> int:
    """Count and log an answer; return the number of its id."""
    request_id, principal, generation, loaded, now, started = asked
    number, seconds = ordered_number(now), time.perf_counter() - started
    loaded.meters.confidence.observe_all(scored.confidence)
    loaded.meters.request.observe(seconds)
    loaded.meters.rows.inc(len(scored.predictions))
    entry = LogEntry(
        id=UUID(int=number),
        request_id=request_id,
        version_id=loaded.version_id,
        model=loaded.model,
        generation=generation,
        role="production",
        principal=principal,
        entity_keys=(),
        frame=scored.frame,
        predictions=scored.predictions,
        probabilities=None,
        latency_ms=seconds * 1000,
        at=time_of(now),
        source="api",
        hidden=loaded.hidden,
        inputs_json=text,
        outputs_json=scored.json,
    )
    log.offer(entry)
    return number


def _scored(loaded: LoadedVersion, frame: Columns, body: bytes) -> Scored:
    scored = score_frame(loaded, frame)
    loaded.cache.put(body, scored)
    return scored
