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
from predictions.adapters.loading import LoadedVersion
from predictions.adapters.scoring import score_frame
from predictions.core.answer import about_answer, answer_json
from predictions.core.arrow_tables import arrow_stream, parse_arrow
from predictions.core.bulk_json import LONG
from predictions.core.caller import Caller, check_may_call
from predictions.core.inputs import Columns
from predictions.core.log_entry import LogEntry, RowEntry, time_of
from predictions.core.parse import read_json
from predictions.core.plain_body import frame_in, frame_in_value, list_in, only_rows
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
    asked = begin(caller=caller, request_id=request_id, model=model)
    if asked is None:
        return None
    return _answer_arrow(asked, body) if arrow else _answer_json(asked, body)


class Asked(NamedTuple):
    """Who asks whom, and since when."""

    request_id: str
    principal: str
    generation: int
    loaded: LoadedVersion
    now: int
    started: float


def begin(*, caller: Caller, request_id: str, model: str | None) -> Asked | None:
    """Find the version in production that shall answer.

    Parameters
    ----------
    caller : Caller
        Who asks.
    request_id : str
        The request's own id.
    model : str, optional
        The model's name; the default model if None.

    Returns
    -------
    Asked or None
        None where `predict` must decide.

    Raises
    ------
    UnknownModelError, ModelForbiddenError
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
    return Asked(request_id, caller.name, serving.generation, loaded, now, started)


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
        and not log.is_crowded
    )


def _answer_json(asked: Asked, body: bytes) -> bytes | None:
    loaded = asked.loaded
    if (scored := loaded.cache.get(body)) is not None:
        loaded.meters.cache_hits.inc()
        return hand_out(asked, scored, b"")
    if loaded.score_row is None or len(body) >= LONG:
        found = frame_in(body, loaded.plan, max_depth=loaded.max_depth)
    else:
        value = read_json(body, max_depth=loaded.max_depth)
        if (rows := only_rows(value)) is not None and (answer := _answer_row(asked, rows, body)) is not None:
            return answer
        found = frame_in_value(value, body, loaded.plan)
    if found is None:
        return None
    frame, text = found
    return hand_out(asked, _scored(loaded, frame, body), text)


def _answer_row(asked: Asked, rows: list[Any], body: bytes) -> bytes | None:
    """Answer one row of numbers; None, with nothing done, if it is another case or the model has no finite answer."""
    request_id, principal, generation, loaded, now, started = asked
    score_row, plain = loaded.score_row, loaded.plan.plain
    if len(rows) != 1 or score_row is None or plain is None:
        return None
    text = list_in(body)
    if (cells := plain.row(rows, text)) is None:
        return None
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


def _answer_arrow(asked: Asked, body: bytes) -> bytes:
    loaded = asked.loaded
    table = parse_arrow(body, max_rows=loaded.plan.limits.max_rows)
    scored = score_frame(loaded, frame_of(loaded.plan, table))
    number = _note(asked, scored, b"")
    about = about_answer(loaded.model, loaded.number, "production", UUID(int=number), time_of(asked.now))
    return arrow_stream(scored.predictions, scored.shares, about)


def hand_out(asked: Asked, scored: Scored, text: bytes) -> bytes:
    """Count and log an answer, and return its bytes.

    Parameters
    ----------
    asked : Asked
        Who asks.
    scored : Scored
        The rows and what the version said.
    text : bytes
        The rows as the client wrote them, if they are kept so.

    Returns
    -------
    bytes
        The JSON text of the answer.

    Raises
    ------
    LogUnavailableError
        If no answer may be given unrecorded, and this one can't be.
    """
    return answer_json(scored.json, asked.loaded.about, _note(asked, scored, text), asked.now)


def _note(asked: Asked, scored: Scored, text: bytes) -> int:
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
