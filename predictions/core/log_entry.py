"""An answer on its way to the prediction log."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
import numpy.typing as npt
import orjson

from predictions.core.inputs import Columns
from predictions.core.log_row import LogRow
from predictions.core.number_frame import Layout, NumberFrame
from predictions.core.packed_rows import MANY, pack_rows

_NOTHING: Mapping[str, Any] = {}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


# Not frozen: one is made for each request, and a frozen one takes three times as long to make.
@dataclass(kw_only=True, slots=True)
class LogEntry:
    """One answer on its way to the prediction log; a shadow's has the request id of the live one.

    `snapshots` are the online snapshots its features came from, by view; `route` says why this version answered.
    `fallback` is the code of what a canary said where production answered for it. `hidden` are the columns whose
    values must not be kept. `inputs_json` and `outputs_json` are the JSON of rows and answer where somebody has it.
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
    snapshots: Mapping[str, int] = field(default_factory=lambda: _NOTHING)
    route: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)
    fallback: str = ""
    hidden: frozenset[str] = frozenset()
    inputs_json: bytes = b""
    outputs_json: bytes = b""

    @property
    def rows(self) -> int:
        """Return how many rows were scored."""
        return len(self.predictions)

    def row(self) -> LogRow:
        """Return what is stored of it; a missing number, NaN in the frame, is null."""
        columns, inputs = self._columns()
        return LogRow(
            self.id,
            self.request_id,
            self.version_id,
            self.generation,
            self.role,
            self.principal,
            _text(self.entity_keys) if self.entity_keys else "[]",
            columns,
            inputs.decode(),
            (self.outputs_json or self._outputs()).decode(),
            _text(dict(self.snapshots)) if self.snapshots else "{}",
            _text(dict(self.route)) if self.route else "{}",
            self.fallback,
            len(self.predictions),
            self.latency_ms,
            self.at,
            self.source,
        )

    def _columns(self) -> tuple[str, bytes]:
        frame = self.frame
        if isinstance(frame, NumberFrame) and not self.hidden:
            return frame.layout.names_json, self.inputs_json or _matrix_json(frame.matrix)
        names = [name for name in frame if name not in self.hidden]
        rows = list(zip(*(frame[name].tolist() for name in names), strict=True)) or [()] * self.rows
        return _text(names), orjson.dumps(rows)

    def _outputs(self) -> bytes:
        outputs: dict[str, Any] = {"predictions": self.predictions}
        if self.probabilities is not None:
            outputs["probabilities"] = self.probabilities
        return orjson.dumps(outputs)


class LoggedVersion(NamedTuple):
    """What the log says of a version that takes nothing but numbers, none of them hidden."""

    id: int
    model: str
    layout: Layout


class RowEntry(NamedTuple):
    """One row of numbers that production answered, on its way to the log as a `LogEntry` is.

    Nothing is made of it before the log's thread asks: whoever answers has only left it what was there.
    `number` is the id's, `at_ns` the time in nanoseconds since 1970, `inputs` and `outputs` are JSON.
    """

    number: int
    at_ns: int
    version: LoggedVersion
    generation: int
    request_id: str
    principal: str
    cells: list[float]
    inputs: bytes
    outputs: bytes
    latency_ms: float
    rows: int = 1
    role: str = "production"

    @property
    def id(self) -> UUID:
        """Return the id of the answer."""
        return UUID(int=self.number)

    @property
    def model(self) -> str:
        """Return whose version answered."""
        return self.version.model

    @property
    def frame(self) -> NumberFrame:
        """Return the inputs as columns."""
        return NumberFrame(self.version.layout, np.array([self.cells], dtype=np.float64))

    def row(self) -> LogRow:
        """Return what is stored of it."""
        return LogRow(
            UUID(int=self.number),
            self.request_id,
            self.version.id,
            self.generation,
            self.role,
            self.principal,
            "[]",
            self.version.layout.names_json,
            self.inputs.decode(),
            self.outputs.decode(),
            "{}",
            "{}",
            "",
            1,
            self.latency_ms,
            time_of(self.at_ns),
            "api",
        )


def time_of(at_ns: int) -> datetime:
    """Return a time, to the microsecond.

    Parameters
    ----------
    at_ns : int
        Nanoseconds since 1970.

    Returns
    -------
    datetime
        UTC.
    """
    return _EPOCH + timedelta(microseconds=at_ns // 1000)


def _matrix_json(matrix: npt.NDArray[np.float64]) -> bytes:
    if len(matrix) >= MANY:
        return pack_rows(matrix)
    return orjson.dumps(np.ascontiguousarray(matrix), option=orjson.OPT_SERIALIZE_NUMPY)


def _text(value: Any) -> str:
    return orjson.dumps(value).decode()
