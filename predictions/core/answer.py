"""What the predict path gives back, and how it looks on the wire."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from predictions.core.explain import Explanation
from predictions.core.inputs import Columns
from predictions.core.log_row import LogRow


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
    """One answer on its way to the prediction log; a shadow's has the request id of the live one.

    `snapshots` are the online snapshots its features came from, by view; `route` says why this version answered.
    `fallback` is the code of what a canary said where production answered for it. `hidden` are the columns whose
    values must not be kept.
    """

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
    snapshots: Mapping[str, int] = field(default_factory=dict)
    route: Mapping[str, Any] = field(default_factory=dict)
    fallback: str = ""
    hidden: frozenset[str] = frozenset()

    @property
    def rows(self) -> int:
        """Return how many rows were scored."""
        return len(self.predictions)

    def row(self) -> LogRow:
        """Return what is stored of it; a missing number, NaN in the frame, is null."""
        shown = {name: values for name, values in self.frame.items() if name not in self.hidden}
        inputs = list(zip(*(values.tolist() for values in shown.values()), strict=True)) or [()] * self.rows
        outputs: dict[str, Any] = {"predictions": self.predictions}
        if self.probabilities is not None:
            outputs["probabilities"] = self.probabilities
        return LogRow(
            id=self.id,
            request_id=self.request_id,
            model_version=self.version_id,
            generation=self.generation,
            role=self.role,
            principal=self.principal,
            entity_keys=_text(self.entity_keys),
            columns=_text(list(shown)),
            inputs=_text(inputs),
            outputs=_text(outputs),
            snapshots=_text(dict(self.snapshots)),
            route=_text(dict(self.route)),
            fallback=self.fallback,
            rows=self.rows,
            latency_ms=self.latency_ms,
            at=self.at,
            source=self.source,
        )


def _text(value: Any) -> str:
    return orjson.dumps(value).decode()
