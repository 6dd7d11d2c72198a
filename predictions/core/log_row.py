"""One row of the prediction log as plain values, and as a line of a spool."""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import orjson


class LogRow(NamedTuple):
    """What is stored of one answer, JSON columns as their texts; the names are the table's."""

    id: UUID
    request_id: str
    model_version: int
    generation: int
    role: str
    principal: str
    entity_keys: str
    columns: str
    inputs: str
    outputs: str
    snapshots: str
    route: str
    fallback: str
    rows: int
    latency_ms: float
    at: datetime
    source: str

    def line(self) -> bytes:
        """Return the row as one line of JSON."""
        return orjson.dumps(tuple(self), option=orjson.OPT_APPEND_NEWLINE)


def rows_of(lines: Iterator[bytes]) -> Iterator[LogRow | None]:
    """Yield the row of each line.

    Parameters
    ----------
    lines : iterator of bytes
        As `LogRow.line` made them; the last may have been cut off by a crash.

    Returns
    -------
    iterator of LogRow or None
        None for a line that is none of a log's.
    """
    for line in lines:
        try:
            if not line.endswith(b"\n"):
                raise ValueError("cut off")
            values = orjson.loads(line)
            values[0], values[-2] = UUID(values[0]), datetime.fromisoformat(values[-2])
            yield LogRow._make(values)
        except (ValueError, TypeError, LookupError, AttributeError):
            yield None
