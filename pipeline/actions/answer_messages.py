"""What both streams do with a poll: read, score in one call a version, write down, answer."""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from features.ground.errors import DomainError
from models_store.core.spec import parse_spec
from pipeline.adapters.scored import score_many
from pipeline.core.streaming import Answer, Message, Request, answer, dead_letter, decode
from predictions import engine, metrics
from predictions.adapters.loading import LoadedVersion
from predictions.core.frames import check_rows
from predictions.core.inputs import Columns
from predictions.errors import InvalidRequestError
from predictions.models import Prediction, StreamPosition

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Who:
    """Which version answers, as what, in which generation of the model; and who does if that one, a canary, can't."""

    loaded: LoadedVersion
    role: str
    generation: int
    route: Mapping[str, Any] = field(default_factory=dict)
    production: LoadedVersion | None = None
    fallback: str = ""

    def named(self, role: str) -> dict[str, Any]:
        """Return how an answer names who gave it."""
        return {"name": self.loaded.model, "version": self.loaded.number, "role": role}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Scored:
    """A request with its prediction, not yet written down."""

    request: Request
    row: Prediction
    model: dict[str, Any]


Asked = Sequence[tuple[Who, Request]]


def answer_messages(model: str, messages: Sequence[Message], *, actor: str) -> list[Answer]:
    """Score a poll's messages and write the predictions down.

    Parameters
    ----------
    model : str
        `MODEL`, whoever serves it, or `MODEL@N`.
    messages : sequence of Message
        In order.
    actor : str
        Who asks, recorded as the principal.

    Returns
    -------
    list of Answer
        One per message, in their order; a dead letter with its reason for each that can't be scored. A message that was
        written down before, by an attempt that did not get further, is answered as it was then.

    Raises
    ------
    UnknownModelError, UnknownVersionError
        If no such model or version is registered.
    ModelNotReadyError
        If no version of the model is loaded.
    """
    decoded = decode(messages)
    answers = {item.message.prediction_id: item for item in decoded.dead}
    scored: list[_Scored] = []
    for asked in _by_version(model, decoded.requests):
        good, dead = _ask(asked, actor)
        scored += good
        answers.update(dead)
    stored = written([(item.request.message, item.row) for item in scored])
    answers |= {item.row.pk: _answer(item, stored.get(item.row.pk)) for item in scored}
    return [answers[message.prediction_id] for message in messages]


def _by_version(model: str, requests: Sequence[Request]) -> list[list[tuple[Who, Request]]]:
    groups: dict[tuple[int, str], list[tuple[Who, Request]]] = {}
    for request in requests:
        message = request.message
        who = who_answers(model, [] if request.key is None else [request.key], message.prediction_id)
        groups.setdefault((who.loaded.version_id, who.role), []).append((who, request))
    return list(groups.values())


def who_answers(model: str, entities: Sequence[str], prediction_id: UUID) -> Who:
    """Return which version answers for an entity or message.

    Parameters
    ----------
    model : str
        `MODEL`, or `MODEL@N` for one version only.
    entities : sequence of str
        The entity it is about, if any.
    prediction_id : UUID
        The id its prediction will have.

    Returns
    -------
    Who
        The loaded version, its role and the model's generation.
    """
    spec = parse_spec(model)
    serving = engine.serving(spec.model)
    if spec.number is not None:
        return Who(
            loaded=engine.version(spec.model, spec.number), role=Prediction.Role.PINNED, generation=serving.generation
        )
    loaded, role, route = serving.pick(entities, prediction_id)
    beside = serving.production if role == Prediction.Role.CANARY else None
    return Who(loaded=loaded, role=role, generation=serving.generation, route=route, production=beside)


def _ask(asked: Asked, actor: str) -> tuple[list[_Scored], dict[UUID, Answer]]:
    """Score what one version is asked; what a canary has no answer for, production is asked."""
    production, canary = asked[0][0].production, asked[0][0].loaded
    if production is None:
        scored, dead = _score(asked, actor)
        return scored, {key: dead_letter(*why) for key, why in dead.items()}
    try:
        scored, dead = _score(asked, actor)
        codes = {key: code for key, (_, code, _) in dead.items()}
    except Exception as error:  # whatever a canary does is nobody's fault but its own, as in the predict action
        said = error.code if isinstance(error, DomainError) else "internal_error"
        logger.exception("canary %s@%s failed, production answers", canary.model, canary.number)
        scored, codes = [], {request.message.prediction_id: said for _, request in asked}
    again = [
        (replace(who, loaded=production, role=Prediction.Role.PRODUCTION, production=None, fallback=code), request)
        for who, request in asked
        if (code := codes.get(request.message.prediction_id))
    ]
    if not again:
        return scored, {}
    more, letters = _ask(again, actor)
    metrics.canary_fallbacks_total.labels(canary.model).inc(len(more))
    return scored + more, letters


def _score(asked: Asked, actor: str) -> tuple[list[_Scored], dict[UUID, tuple[Message, str, str]]]:
    """Return the answers, and code and reason of what has none."""
    started = time.perf_counter()
    loaded, requests = asked[0][0].loaded, [request for _, request in asked]
    checked = check_rows(loaded.plan, [request.row for request in requests])
    scored = score_many(loaded, checked.frame)
    latency_ms = (time.perf_counter() - started) * 1000
    refused = [(place, InvalidRequestError.code, reason) for place, reason in checked.rejected.items()]
    refused += [(checked.kept[place], scored.codes[place], reason) for place, reason in scored.failed.items()]
    dead = {
        requests[place].message.prediction_id: (requests[place].message, code, reason)
        for place, code, reason in refused
    }
    columns = {name: values for name, values in checked.frame.items() if name not in loaded.hidden}
    inputs = _inputs(columns) or [[] for _ in checked.kept]
    found = []
    for index, place in enumerate(scored.places):
        who, request = asked[checked.kept[place]]
        outputs: dict[str, Any] = {"predictions": [scored.predictions[index]]}
        if (shares := scored.probability(index)) is not None:
            outputs["probabilities"] = [shares]
        row = _row(who, request, outputs=outputs, latency_ms=latency_ms, actor=actor)
        row.columns, row.inputs = list(columns), [inputs[place]]
        found.append(_Scored(request=request, row=row, model=who.named(who.role)))
    return found, dead


def _inputs(frame: Columns) -> list[list[Any]]:
    columns = [[None if cell != cell else cell for cell in values.tolist()] for values in frame.values()]
    return [list(row) for row in zip(*columns, strict=True)]


def _row(who: Who, request: Request, *, outputs: dict[str, Any], latency_ms: float, actor: str) -> Prediction:
    message = request.message
    return Prediction(
        id=message.prediction_id,
        request_id=str(message.prediction_id),
        model_version_id=who.loaded.version_id,
        generation=who.generation,
        role=who.role,
        principal=actor,
        entity_keys=[request.key] if request.key is not None else [],
        route=dict(who.route),
        fallback=who.fallback,
        outputs=outputs,
        rows=1,
        latency_ms=latency_ms,
        at=timezone.now(),
        source=Prediction.Source.STREAM,
        topic=message.topic,
        partition=message.partition,
        offset=message.offset,
    )


def written(scored: Sequence[tuple[Message, Prediction]]) -> dict[UUID, Prediction]:
    """Write down what was not written before.

    Parameters
    ----------
    scored : sequence of tuple of Message and Prediction
        Messages, and the row each would be.

    Returns
    -------
    dict
        What stands at each message's position now, by the prediction's id.
    """
    if not scored:
        return {}
    positions = [
        StreamPosition(
            prediction_id=row.pk, topic=place.topic, partition=place.partition, offset=place.offset, at=row.at
        )
        for place, row in scored
    ]
    taken = StreamPosition.objects.filter(pk__in=[row.pk for _, row in scored])
    with transaction.atomic(durable=True):
        # Messages come again after a crash between this commit and the stream's: whoever has the position has written.
        StreamPosition.objects.bulk_create(positions, batch_size=500, ignore_conflicts=True)
        times = dict(taken.values_list("pk", "at"))
        new = [row for _, row in scored if times.get(row.pk) == row.at]
        Prediction.objects.bulk_create(new, batch_size=500, ignore_conflicts=True)
    known = Prediction.objects.filter(pk__in=times, at__gte=min(times.values()), at__lte=max(times.values()))
    return {row.pk: row for row in known.select_related("model_version__model")}


def _answer(item: _Scored, stored: Prediction | None) -> Answer:
    """Return the answer as it is written down; as it was written the first time, if the message came before."""
    row, model = item.row, item.model
    if stored is None or stored.inputs != row.inputs:
        # Another message stood at this position once: a topic or file was made anew under its old name.
        logger.warning("the prediction log holds another message at %s", item.request.message.position())
    else:
        version = stored.model_version
        row, model = stored, {"name": version.model.name, "version": version.number, "role": stored.role}
    shares = row.outputs.get("probabilities")
    return answer(
        item.request, prediction=row.outputs["predictions"][0], probabilities=shares and shares[0], model=model
    )
