"""What the predict path gives back, and how it looks on the wire."""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import orjson

from predictions.core.explain import Explanation


# Not frozen: one is made for each request, and a frozen one takes three times as long to make.
@dataclass(kw_only=True, slots=True)
class PredictAnswer:
    """One answered request.

    Parameters
    ----------
    predictions : list
        One label or value per row, as they were in training.
    probabilities : list of list of float, optional
        One share per class and row, in the order of the model's classes; None for a regression.
    classes : tuple
        The classes the probabilities belong to.
    model : str
        Whose version answered.
    version : int
        Its number.
    role : str
        As what it answered: production, canary or pinned.
    generation : int
        The model's generation when it answered.
    prediction_id : UUID
        The id in the prediction log.
    request_id : str
        The request's own id.
    at : datetime
        When it was answered, UTC.
    threshold : float, optional
        The share of the second class from which on it is predicted, where the version has one.
    explanations : list of Explanation, optional
        One per row, if asked for.
    """

    predictions: list[Any]
    probabilities: list[list[float]] | None
    classes: tuple[Any, ...]
    model: str
    version: int
    role: str
    generation: int
    prediction_id: UUID
    request_id: str
    at: datetime
    threshold: float | None = None
    explanations: list[Explanation] | None = None

    def about(self) -> dict[str, Any]:
        """Return who answered, when, and the id of the answer."""
        return about_answer(self.model, self.version, self.role, self.prediction_id, self.at)

    def body(self) -> dict[str, Any]:
        """Return the JSON object of the answer."""
        answer: dict[str, Any] = {"predictions": self.predictions}
        if self.probabilities is not None:
            answer["probabilities"] = self.probabilities
        if self.explanations is not None:
            answer["explanations"] = [explanation.body() for explanation in self.explanations]
            answer |= {} if self.threshold is None else {"threshold": self.threshold}
        answer["model"] = {"name": self.model, "version": self.version, "role": self.role}
        answer["prediction_id"] = str(self.prediction_id)
        answer["timestamp"] = f"{self.at.replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"
        return answer

    def json(self) -> bytes:
        """Return the answer's bytes, the same through every edge."""
        return orjson.dumps(self.body())


def about_answer(model: str, version: int, role: str, key: UUID, at: datetime) -> dict[str, Any]:
    """Return who answered, when, and the id of the answer.

    Parameters
    ----------
    model : str
        Whose version answered.
    version : int
        Its number.
    role : str
        As what it answered.
    key : UUID
        The answer's id.
    at : datetime
        When it was answered, UTC.

    Returns
    -------
    dict
        By name.
    """
    return {
        "model": model,
        "version": version,
        "role": role,
        "prediction_id": str(key),
        "timestamp": f"{at.replace(tzinfo=None).isoformat(timespec='milliseconds')}Z",
    }


def answer_json(outputs: bytes, about: bytes, number: int, at_ns: int) -> bytes:
    """Return the bytes of an answer as `PredictAnswer.json` does, from its parts.

    Parameters
    ----------
    outputs : bytes
        The JSON object of predictions and probabilities.
    about : bytes
        What `about_json` gives for the version.
    number : int
        The 128 bits of the answer's id.
    at_ns : int
        When it was answered, in nanoseconds since 1970.

    Returns
    -------
    bytes
        JSON.
    """
    key = "%032x" % number  # noqa: UP031 (takes half as long as a format string)
    second, milliseconds = divmod(at_ns // 1_000_000, 1000)
    return b'%b,%b"%b","timestamp":"%b.%03dZ"}' % (
        outputs[:-1],
        about,
        f"{key[:8]}-{key[8:12]}-{key[12:16]}-{key[16:20]}-{key[20:]}".encode(),
        _second_text(second),
        milliseconds,
    )


@lru_cache(maxsize=4)
def _second_text(second: int) -> bytes:
    return datetime.fromtimestamp(second, UTC).replace(tzinfo=None).isoformat().encode()


def about_json(model: str, version: int, role: str) -> bytes:
    """Return the middle of an answer, which is the same for all answers of a version in a role.

    Parameters
    ----------
    model : str
        Whose version answers.
    version : int
        Its number.
    role : str
        As what it answers.

    Returns
    -------
    bytes
        A part of a JSON object, up to the value of prediction_id.
    """
    named = orjson.dumps({"name": model, "version": version, "role": role})
    return b'"model":%b,"prediction_id":' % named
