"""Rows made up to follow a schema, with a target that depends on the features."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.core.schema import Column, arrow_schema

START = datetime(2024, 1, 1, tzinfo=UTC)
STEP = timedelta(minutes=1)
MISSING_SHARE = 0.02
ENTITIES = 100
CATEGORIES = tuple("abcdefgh")


def synthetic_rows(
    columns: Sequence[Column], first: int, count: int, *, seed: int, after: datetime | None = None
) -> pa.Table:
    """Make rows that follow a schema.

    Parameters
    ----------
    columns : sequence of Column
        The schema; bounds and allowed values are kept to.
    first : int
        Number of the first row, from 0; with the seed it fixes the values.
    count : int
        How many rows.
    seed : int
        Seed of the random numbers.
    after : datetime, optional
        Event times begin one minute after it, one row a minute; by default in 2024.

    Returns
    -------
    pyarrow.Table of `count` rows
        Times known are up to an hour after the event; about 2 % of nullable features are missing.
    """
    random = np.random.default_rng([seed, first])
    score = np.zeros(count)
    arrays: dict[str, pa.Array] = {}
    times = _event_times(first, count, after)
    for column in columns:
        if column.role in ("timestamp", "known_at"):
            late = random.integers(1, 3600, count) * 1_000_000 if column.role == "known_at" else 0
            arrays[column.name] = pa.array(times + late, pa.int64()).cast(pa.timestamp("us", tz="UTC"))
        elif column.role != "target":
            values, part = _values(column, count, random)
            score += part
            missing = random.random(count) < (MISSING_SHARE if column.nullable and column.role == "feature" else 0)
            arrays[column.name] = pa.array(values, mask=missing)
    noise = random.normal(size=count) * 0.5
    for column in columns:
        if column.role == "target":
            arrays[column.name] = pa.array(_target(column, score + noise))
    schema = arrow_schema(columns)
    return pa.table([arrays[field.name].cast(field.type) for field in schema], schema=schema)


def _event_times(first: int, count: int, after: datetime | None) -> npt.NDArray[np.int64]:
    start = (after or START) + STEP
    step_us = int(STEP.total_seconds() * 1_000_000)
    return int(start.timestamp() * 1_000_000) + (first + np.arange(count, dtype=np.int64)) * step_us


def _values(
    column: Column, count: int, random: np.random.Generator
) -> tuple[npt.NDArray[Any], npt.NDArray[np.float64]]:
    """Return a column's values and what they add to the target's score."""
    if column.allowed is not None or column.dtype == "string":
        choices = np.array(column.allowed or _names(column))
        places = random.integers(0, len(choices), count)
        return choices[places], (places / len(choices) - 0.5).astype(np.float64)
    if column.dtype == "boolean":
        values = random.random(count) < 0.5
        return values, values.astype(np.float64) - 0.5
    if column.dtype == "timestamp":
        return np.datetime64(START.replace(tzinfo=None), "us") + random.integers(
            0, 86_400, count
        ) * 1_000_000, np.zeros(count)
    normal = random.normal(size=count)
    return _within(column, normal), normal


def _names(column: Column) -> list[str]:
    if column.role == "entity":
        return [f"{column.name}-{number}" for number in range(ENTITIES)]
    return list(CATEGORIES)


def _within(column: Column, normal: npt.NDArray[np.float64]) -> npt.NDArray[Any]:
    """Stretch normal numbers to a column's bounds; whole numbers where it holds those."""
    scale = 10.0 if column.dtype == "integer" else 1.0
    low = column.min if column.min is not None else (column.max - 6 * scale if column.max is not None else -3 * scale)
    high = column.max if column.max is not None else low + 6 * scale
    values = np.clip(low + (high - low) * (normal + 3) / 6, low, high)
    return (
        np.clip(np.round(values), np.ceil(low), np.floor(high)).astype(np.int64)
        if column.dtype == "integer"
        else values
    )


def _target(column: Column, score: npt.NDArray[np.float64]) -> npt.NDArray[Any]:
    if column.allowed is not None or column.dtype == "string":
        choices = np.array(column.allowed or ["no", "yes"])
        edges = np.linspace(-1, 1, len(choices) + 1)[1:-1]
        return choices[np.digitize(score, edges)]
    if column.dtype == "boolean":
        return score > 0
    if column.dtype == "integer" and column.min == 0 and column.max == 1:
        return (score > 0).astype(np.int64)
    return _within(column, score)
