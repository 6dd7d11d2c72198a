"""Rows made up to follow a contract, with a target that depends on the features."""

import math
import random as plain
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count as counted
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from features.core.column import ARROW_TYPES, INT64, Column
from features.core.column_rules import allowed_values, bounds, broken
from features.core.pattern_texts import pattern_texts
from features.core.schema import arrow_schema
from features.core.synthetic_times import START, known_times, micros
from features.errors import SchemaError
from features.ground.errors import bounded

MINUTE = 60_000_000
MISSING_SHARE = 0.02
ENTITIES = 100
CATEGORIES = tuple("abcdefgh")
EXACT = 2**52

Values = npt.NDArray[Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """What rows are made up of.

    Parameters
    ----------
    columns : tuple of Column
        The contract's columns.
    rows, seed : int
        How many rows in all; the same seed gives the same.
    first_us, step_us : int
        Time of the first event, and from one to the next, in microseconds.
    whole : frozenset of str
        Columns in which nothing may be missing, nullable or not.
    taken : mapping of str to pyarrow.Array
        By unique column, the values that are there already.
    """

    columns: tuple[Column, ...]
    rows: int
    seed: int
    first_us: int
    step_us: int
    whole: frozenset[str] = frozenset()
    taken: Mapping[str, pa.Array] = field(default_factory=dict)

    def span(self) -> tuple[int, int]:
        """Return the times of the first and the last event."""
        return self.first_us, self.first_us + (self.rows - 1) * self.step_us


class Synthetic:
    """Makes rows, a part at a time, from the first to the last.

    Parameters
    ----------
    recipe : Recipe
        What they are made up of.
    """

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.fresh = {column.name: _candidates(column, recipe) for column in recipe.columns if column.unique}
        self.choices = {column.name: _choices(column, recipe.seed) for column in recipe.columns}

    def rows(self, first: int, count: int) -> pa.Table:
        """Make the next rows.

        Parameters
        ----------
        first : int
            Number of the first row, from 0: the one after those made before.
        count : int
            How many rows.

        Returns
        -------
        pyarrow.Table of `count` rows
            About 2 % of nullable features are missing.

        Raises
        ------
        SchemaError
            If there are no, or not enough, values that meet a column's rules.
        """
        recipe = self.recipe
        random = np.random.default_rng([recipe.seed, first])
        score, arrays = np.zeros(count), dict[str, pa.Array]()
        events = recipe.first_us + (first + np.arange(count, dtype=np.int64)) * recipe.step_us
        for column in (column for column in recipe.columns if column.role != "target"):
            values, part = self._values(column, count, random, events)
            score += part
            may_miss = column.nullable and column.role == "feature" and not column.unique
            share = MISSING_SHARE if may_miss and column.name not in recipe.whole else 0
            arrays[column.name] = _typed(values, column, random.random(count) < share)
        score += random.normal(size=count) * 0.5
        for column in (column for column in recipe.columns if column.role == "target"):
            arrays[column.name] = _typed(self._target(column, score, random, events), column, None)
        return pa.table(arrays).select([column.name for column in recipe.columns]).cast(arrow_schema(recipe.columns))

    def _values(
        self, column: Column, count: int, random: np.random.Generator, events: Values
    ) -> tuple[Values | pa.Array, npt.NDArray[np.float64]]:
        """Return a column's values and what they add to the target's score."""
        nothing = np.zeros(count)
        if column.role == "timestamp":
            return events, nothing
        if column.role == "known_at":
            return known_times(column, events, self.recipe.span(), random), nothing
        if column.unique:
            return self._next(column, count), nothing
        if (choices := self.choices[column.name]) is not None:
            places = random.integers(0, len(choices), count)
            return choices[places], places / len(choices) - 0.5
        if column.dtype == "timestamp":
            low, high = _time_bounds(column)
            return random.integers(low, high, count, endpoint=True), nothing
        normal = random.normal(size=count)
        return _within(column, normal, random), normal

    def _target(
        self, column: Column, score: npt.NDArray[np.float64], random: np.random.Generator, events: Values
    ) -> Values | pa.Array:
        if column.unique or column.dtype == "timestamp":
            return self._values(column, len(score), random, events)[0]
        if (choices := self.choices[column.name]) is not None:
            edges = np.linspace(-1, 1, len(choices) + 1)[1:-1]
            return choices[np.digitize(score, edges)]
        if column.dtype == "integer" and column.min == 0 and column.max == 1:
            return (score > 0).astype(np.int64)
        return _within(column, score, random)

    def _next(self, column: Column, count: int) -> pa.Array:
        """Return values that come once only, in this batch and in the table."""
        kind, found, left = _kind(column), [], count
        taken = self.recipe.taken.get(column.name, pa.array([], kind)).cast(kind)
        while left:
            some = pa.array(list(islice(self.fresh[column.name], left)), kind)
            if not len(some):
                rows = self.recipe.rows
                raise SchemaError(f"column {column.name!r} is unique, and has not enough values left for {rows} rows")
            found.append(some.filter(pc.invert(pc.is_in(some, taken))))
            left -= len(found[-1])
        return pa.concat_arrays(found)


def _kind(column: Column) -> pa.DataType:
    return pa.int64() if column.dtype == "timestamp" else ARROW_TYPES[column.dtype]


def _typed(values: Values | pa.Array, column: Column, missing: npt.NDArray[np.bool_] | None) -> pa.Array:
    array = values if isinstance(values, pa.Array) else pa.array(values, _kind(column), mask=missing)
    array = array.cast(ARROW_TYPES[column.dtype])
    if (wrong := broken(array, column)) is not None:
        value = bounded(str(array[int(np.argmax(wrong))]), 60)
        raise SchemaError(f"column {column.name!r}: no values can be made up that meet all its rules, such as {value}")
    return array


def _choices(column: Column, seed: int) -> Values | None:
    """Return the values a column is made up of, where those are few."""
    if column.allowed is not None:
        named = pa.array(allowed_values(column), ARROW_TYPES[column.dtype])
        wrong = broken(named, column)
        fit = named if wrong is None else named.filter(pa.array(~wrong))
        if not len(fit):
            raise SchemaError(f"column {column.name!r}: none of its allowed values meets its other rules")
        return np.array(fit.to_pylist())
    if column.dtype == "boolean":
        return np.array([False, True])
    if column.dtype != "string":
        return None
    wanted = ENTITIES if column.role == "entity" else 2 if column.role == "target" else len(CATEGORIES)
    if column.pattern is not None:
        texts, random = pattern_texts(column.pattern), plain.Random(f"{seed} {column.name}")  # noqa: S311 (no secret)
        return np.array(sorted({texts.text(random.randrange(texts.count)) for _ in range(wanted)}))
    if column.role == "entity":
        return np.array([f"{column.name}-{number}" for number in range(ENTITIES)])
    return np.array(["no", "yes"] if column.role == "target" else CATEGORIES)


def _candidates(column: Column, recipe: Recipe) -> Iterator[Any]:
    """Yield values that meet a unique column's rules, each once."""
    if column.allowed is not None or column.dtype == "boolean":
        choices = _choices(column, recipe.seed)
        return iter(dict.fromkeys(choices.tolist() if choices is not None else ()))
    if column.dtype == "string":
        if column.pattern is None:
            return (f"{column.name}-{number}" for number in counted())
        texts = pattern_texts(column.pattern)
        return _once(texts.text(number) for number in _numbers(0, texts.count - 1))
    some = recipe.rows + len(recipe.taken.get(column.name, ()))
    if column.dtype == "number":
        low, high = _number_bounds(column, 1.0)
        return _once(low * (1 - part) + high * part for part in ((place + 1) / (some + 1) for place in range(some)))
    if column.dtype == "timestamp":
        low_us, high_us = _time_bounds(column)
        step = min(MINUTE, max(1, (high_us - low_us) // some))
        return iter(range(low_us, high_us + 1, step))
    least, most = (None if bound is None else bound.as_py() for bound in bounds(column))
    if least is None and most is not None:
        return iter(range(most, -INT64 - 1, -1))
    return _numbers(1 if least is None else least, INT64 - 1 if most is None else most)


def _numbers(low: int, high: int) -> Iterator[int]:
    # A range can't be longer than the machine's numbers; a pattern can have more texts.
    while low <= high:
        yield low
        low += 1


def _once(values: Iterator[Any]) -> Iterator[Any]:
    seen = set()
    for value in values:
        if value not in seen:
            seen.add(value)
            yield value


def _time_bounds(column: Column) -> tuple[int, int]:
    day = 24 * 60 * MINUTE
    low = micros(column.min) if column.min is not None else micros(START)
    low = min(low, micros(column.max) - day) if column.max is not None and column.min is None else low
    return low, micros(column.max) if column.max is not None else min(
        low + day, micros(datetime.max.replace(tzinfo=UTC))
    )


def _number_bounds(column: Column, scale: float) -> tuple[float, float]:
    low, high = column.min, column.max
    if low is None:
        low = high - 6 * scale if high is not None else -3 * scale
    return low, high if high is not None else low + 6 * scale


def _within(column: Column, normal: npt.NDArray[np.float64], random: np.random.Generator) -> Values:
    """Stretch normal numbers to a column's bounds; whole numbers where it holds those."""
    low, high = _number_bounds(column, 10.0 if column.dtype == "integer" else 1.0)
    part = np.clip((normal + 3) / 6, 0, 1)
    if column.dtype == "number":
        return np.clip(low * (1 - part) + high * part, low, high)
    least, most = max(math.ceil(low), -INT64), min(math.floor(high), INT64 - 1)
    if least > most:
        raise SchemaError(f"column {column.name!r}: no whole number lies between its bounds {low} and {high}")
    if max(abs(least), abs(most)) >= EXACT:
        return random.integers(least, most, len(normal), endpoint=True)
    return np.clip(np.round(least * (1 - part) + most * part), least, most).astype(np.int64)
