"""Files of outcomes: JSON lines, CSV or Parquet."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from features.ground.errors import bounded
from pipeline.adapters.tables import TableSource
from pipeline.errors import InvalidOutcomeError, UnknownFileError
from predictions.actions.record_outcomes import OutcomeItem

COLUMNS = ("prediction_id", "actual", "row", "observed_at", "known_at")
JSON_ENDINGS = (".jsonl", ".ndjson")


def read_outcomes(path: Path) -> list[OutcomeItem]:
    """Return the outcomes of a file, in order.

    Raises
    ------
    UnknownFileError
        If the file is not there.
    InvalidOutcomeError
        If a line is no outcome; it is named by its number.
    """
    if not path.is_file():
        raise UnknownFileError(f"there is no file {path}")
    items = [_item(number, record) for number, record in enumerate(_records(path), 1)]
    if not items:
        raise InvalidOutcomeError(f"{path.name} holds no outcome")
    return items


def _records(path: Path) -> Iterator[Any]:
    if path.suffix.lower() not in JSON_ENDINGS:
        source = TableSource(path)
        for chunk in source.chunks(50_000):
            yield from ({name: _typed(value) for name, value in row.items()} for row in chunk.table.to_pylist())
        return
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                yield json.loads(line)
            except ValueError as error:
                raise InvalidOutcomeError(f"line {number} is not JSON: {bounded(str(error), 100)}") from error


def _typed(value: Any) -> Any:
    """Return a number or truth value for a text that spells one, as a CSV cell does."""
    if not isinstance(value, str):
        return value
    try:
        found = json.loads(value)
    except ValueError:
        return value or None
    return found if isinstance(found, int | float) else value


def _item(number: int, record: Any) -> OutcomeItem:
    if not isinstance(record, Mapping) or record.get("prediction_id") is None or record.get("actual") is None:
        raise InvalidOutcomeError(f"line {number} must have prediction_id and actual; got {bounded(record, 100)}")
    if unknown := sorted(map(str, set(record) - set(COLUMNS))):
        raise InvalidOutcomeError(f"line {number} has {', '.join(unknown)[:100]}; allowed: {', '.join(COLUMNS)}")
    row = record.get("row")
    if row is not None and type(row) is not int:
        raise InvalidOutcomeError(f"line {number}: row must be a whole number; got {bounded(row, 40)}")
    try:
        return OutcomeItem(
            prediction_id=UUID(str(record["prediction_id"])),
            actual=record["actual"],
            row=row or 0,
            observed_at=_time(record.get("observed_at")),
            known_at=_time(record.get("known_at")),
        )
    except ValueError as error:
        raise InvalidOutcomeError(f"line {number}: {bounded(str(error), 150)}") from error


def _time(value: Any) -> datetime | None:
    if value is None:
        return None
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
