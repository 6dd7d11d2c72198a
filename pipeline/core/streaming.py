"""Messages of a stream: how they are read, and what each becomes, an answer or a dead letter."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID, uuid5

import orjson

from predictions.core.parse import parse_json
from predictions.errors import InvalidRequestError

# A message keeps its prediction's id when it is scored again after a crash.
_NAMESPACE = UUID("5d0c1f2e-8a43-5a0e-9b55-3f0d2f5f8c11")
MAX_MESSAGE_BYTES = 1 << 20
MAX_DEAD_BYTES = 64 << 10
MAX_DEPTH = 32
MAX_KEY = 300


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """One message as it came.

    Parameters
    ----------
    topic : str
        The topic, or the file's name.
    partition, offset : int
        Its position; the line number, from 0, in a file.
    value : bytes, optional
        What it holds; None is a tombstone.
    key : bytes, optional
        The message's own key.
    too_large : bool
        Whether `value` is only the beginning of something over the limit.
    """

    topic: str
    partition: int
    offset: int
    value: bytes | None
    key: bytes | None = None
    too_large: bool = False

    @property
    def prediction_id(self) -> UUID:
        """Return the id of the prediction this message becomes, the same whenever it is asked."""
        return uuid5(_NAMESPACE, f"{self.topic}/{self.partition}/{self.offset}")

    def position(self) -> dict[str, Any]:
        """Return where it stood, for answers and dead letters."""
        return {"topic": self.topic, "partition": self.partition, "offset": self.offset}


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """A message that could be read: one row to score, a list in column order or a record."""

    message: Message
    row: Sequence[Any] | Mapping[str, Any]
    key: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """The line or record a message became."""

    message: Message
    body: bytes
    dead: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Consumed:
    """How many messages came, were scored, became dead letters, and were committed."""

    in_: int
    scored: int
    dead_letters: int
    committed: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Decoded:
    """A poll's messages, read: those to score, and the dead letters, each in order."""

    requests: list[Request] = field(default_factory=list)
    dead: list[Answer] = field(default_factory=list)


class Source(Protocol):
    """Where messages come from and answers go to, all or nothing."""

    @property
    def name(self) -> str:
        """Return what tells this stream's consumer from others."""
        ...

    @property
    def ready(self) -> bool:
        """Tell whether messages can come yet; until then nothing counts as idle."""
        ...

    def lag(self) -> int | None:
        """Return how many messages wait, as far as is known without asking; None if nothing is."""
        ...

    def poll(self, limit: int) -> list[Message]:
        """Return up to `limit` messages, none if there are none for now."""
        ...

    def drain(self) -> list[Message]:
        """Return what was held back until the stream is over."""
        ...

    def commit(self, answers: Sequence[Answer]) -> None:
        """Make the answers and the position behind their messages durable, in one step."""
        ...

    def recover(self) -> None:
        """Go back to what was last committed."""
        ...


def decode(messages: Sequence[Message]) -> Decoded:
    """Read a poll's messages.

    Parameters
    ----------
    messages : sequence of Message
        In order.

    Returns
    -------
    Decoded
        Requests for what could be read, dead letters with the reason for the rest.
    """
    found = Decoded()
    for message in messages:
        try:
            found.requests.append(_request(message))
        except InvalidRequestError as error:
            found.dead.append(dead_letter(message, error.code, error.message.replace("the body", "the message", 1)))
    return found


def _request(message: Message) -> Request:
    if message.value is None:
        raise InvalidRequestError("the message has no value (a tombstone); send a JSON object")
    if message.too_large or len(message.value) > MAX_MESSAGE_BYTES:
        raise InvalidRequestError(f"the message is over {MAX_MESSAGE_BYTES} bytes")
    value = parse_json(message.value, max_depth=MAX_DEPTH)
    if not isinstance(value, dict):
        raise InvalidRequestError('a message must be an object: {"features": […]}, {"record": {…}} or a record')
    envelope = next((name for name, kind in (("features", list), ("record", dict)) if _is(value, name, kind)), None)
    if envelope is None:
        return Request(message=message, row=value, key=_text_key(message.key))
    if unknown := sorted(value.keys() - {envelope, "key"}):
        raise InvalidRequestError(f"beside {envelope} only key may stand; got {', '.join(unknown[:5])[:100]}")
    return Request(message=message, row=value[envelope], key=_key(value.get("key"), message.key))


def _is(value: Mapping[str, Any], name: str, kind: type) -> bool:
    return isinstance(value.get(name), kind)


def _key(given: Any, own: bytes | None) -> str | None:
    if given is None:
        return _text_key(own)
    if isinstance(given, bool) or not isinstance(given, str | int) or not 0 < len(str(given)) <= MAX_KEY:
        raise InvalidRequestError(f"key must be a text of 1 to {MAX_KEY} characters or a whole number")
    if "\x00" in str(given):
        raise InvalidRequestError("key must not hold a NUL character")
    return str(given)


def _text_key(own: bytes | None) -> str | None:
    return own.decode("utf-8", "replace").replace("\x00", "\ufffd")[:MAX_KEY] if own else None


def dead_letter(message: Message, code: str, reason: str) -> Answer:
    """Return the dead letter of a message: why, where it stood, and at most 64 KB of it.

    Parameters
    ----------
    message : Message
        What can't be scored.
    code : str
        Stable code of the reason.
    reason : str
        The reason for a person.

    Returns
    -------
    Answer
        A JSON line marked as dead.
    """
    raw = message.value
    text = None if raw is None else raw[:MAX_DEAD_BYTES].decode("utf-8", "replace")
    body: dict[str, Any] = {"error": reason, "code": code, "source": message.position(), "value": text}
    if message.key is not None:
        body["key"] = _text_key(message.key)
    if raw is not None and len(raw) > MAX_DEAD_BYTES:
        body["cut"] = True
    return Answer(message=message, body=orjson.dumps(body), dead=True)


def answer(
    request: Request, *, prediction: Any, probabilities: Sequence[float] | None, model: Mapping[str, Any]
) -> Answer:
    """Return the answer to a request.

    Parameters
    ----------
    request : Request
        What was asked.
    prediction : Any
        The original label, or the value.
    probabilities : sequence of float, optional
        One share per class.
    model : mapping
        name, version and role of who answered.

    Returns
    -------
    Answer
        A JSON line with the prediction and its id.
    """
    body: dict[str, Any] = {"prediction": prediction}
    if probabilities is not None:
        body["probabilities"] = probabilities
    body |= {"model": model, "prediction_id": str(request.message.prediction_id), "source": request.message.position()}
    if request.key is not None:
        body["key"] = request.key
    return Answer(message=request.message, body=orjson.dumps(body))
