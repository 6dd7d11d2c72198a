"""What the predict path gives back, and how it looks on the wire."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from predictions.core.explain import Explanation
from predictions.core.inputs import Columns


@dataclass(frozen=True, kw_only=True, slots=True)
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
        return {
            "model": self.model,
            "version": self.version,
            "role": self.role,
            "prediction_id": str(self.prediction_id),
            "timestamp": f"{self.at.replace(tzinfo=None).isoformat(timespec='milliseconds')}Z",
        }

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


@dataclass(frozen=True, kw_only=True, slots=True)
class LogEntry:
    """One answer on its way to the prediction log; a shadow's has the request id of the live one."""

    id: UUID
    request_id: str
    version_id: int
    model: str
    generation: int
    role: str
    principal: str
    entity_keys: tuple[str, ...]
    frame: Columns
    predictions: list[Any]
    probabilities: list[list[float]] | None
    latency_ms: float
    at: datetime
    source: str

    @property
    def rows(self) -> int:
        """Return how many rows were scored."""
        return len(self.predictions)

    def json_columns(self) -> tuple[str, str, str, str]:
        """Return the JSON texts of the entity keys, the input columns, the rows as scored, and the outputs.

        A missing number, NaN in the frame, is null.
        """
        rows = list(zip(*(values.tolist() for values in self.frame.values()), strict=True))
        outputs: dict[str, Any] = {"predictions": self.predictions}
        if self.probabilities is not None:
            outputs["probabilities"] = self.probabilities
        parts = (self.entity_keys, list(self.frame), rows, outputs)
        keys, columns, inputs, answers = (orjson.dumps(part).decode() for part in parts)
        return keys, columns, inputs, answers
