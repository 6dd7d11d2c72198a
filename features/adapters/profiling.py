"""Profiles of a version's columns, computed by DuckDB over the rows as they wait to be stored."""

import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from features.adapters.duck import duck, quoted, staged
from features.core.column import time_text
from features.core.profile import BINS, QUANTILES, TOP, ColumnSummary
from features.core.schema import Column
from features.ground.errors import bounded

# Up to here different values are counted one by one, beyond they are estimated.
EXACT_DISTINCT = 50_000
# Up to here quantiles are of all rows, beyond of rows taken at equal distances.
EXACT_QUANTILES = 200_000
EXAMPLES, EXAMPLE_LENGTH = 5, 40
COLUMNS_AT_ONCE = 40
NUMBERS = ("integer", "number", "timestamp")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# The edge of a bin may lie beyond what a calendar holds.
LAST_US = (datetime.max.replace(tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)

Row = dict[str, Any]


def profile_rows(path: Path, columns: Sequence[Column]) -> list[ColumnSummary]:
    """Return a summary of each column of a staged file; of columns about persons, counts alone."""
    sample, step = _sample(path, [column.name for column in columns if column.dtype in NUMBERS])
    found: list[ColumnSummary] = []
    tables = {"rows": staged(path)} | ({"sample": sample} if sample.num_columns else {})
    with duck(**tables) as connection:
        for first in range(0, len(columns), COLUMNS_AT_ONCE):
            group = columns[first : first + COLUMNS_AT_ONCE]
            facts = _facts(connection, group, step)
            found += [_summary(column, facts, place, step) for place, column in enumerate(group)]
    return found


def _sample(path: Path, names: list[str]) -> tuple[pa.Table, int]:
    step, offset, taken = max(1, math.ceil(staged(path).count_rows() / EXACT_QUANTILES)), 0, []
    with pa.OSFile(str(path)) as source, pa.ipc.open_file(source) as file:
        schema = pa.schema([file.schema.field(name) for name in names])
        for place in range(file.num_record_batches):
            batch = file.get_batch(place).select(names)
            rows = np.arange(-offset % step, batch.num_rows, step)
            offset += batch.num_rows
            taken.append(batch if step == 1 else batch.take(pa.array(rows)))
        return pa.Table.from_batches(taken, schema), step


def _one(connection: duckdb.DuckDBPyConnection, table: str, expressions: Sequence[str]) -> Row:
    (row,) = connection.table(table).aggregate(", ".join(expressions)).to_arrow_table().to_pylist()
    return row  # type: ignore[no-any-return]


def _facts(connection: duckdb.DuckDBPyConnection, columns: Sequence[Column], step: int) -> Row:
    """Return all numbers about some columns, each under its name and the column's place."""
    named = [(place, column, quoted(column.name)) for place, column in enumerate(columns)]
    parts = ["count(*) as total"]
    for place, column, name in named:
        parts += [f"count({name}) as present{place}", f"approx_count_distinct({name}) as distinct{place}"]
        if not column.pii:
            of = "epoch_us({})" if column.dtype == "timestamp" else "{}"
            parts += [f"{of.format(f'{side}({name})')} as {side}{place}" for side in ("min", "max")]
        if column.dtype in ("integer", "number") and not column.pii:
            parts += [f"avg({name}) as mean{place}", f"stddev_samp({name}::double) as deviation{place}"]
    facts = _one(connection, "rows", parts)
    few = {place for place, _, _ in named if facts[f"distinct{place}"] <= EXACT_DISTINCT}
    shown = [(place, column, name) for place, column, name in named if not column.pii and facts[f"present{place}"]]
    counted = {place for place, column, _ in shown if column.dtype not in NUMBERS} & few
    if few - counted:
        exact = [f"count(distinct {named[place][2]}) as distinct{place}" for place in sorted(few - counted)]
        facts |= _one(connection, "rows", exact)
    for place in counted:
        facts |= _most_frequent(connection, named[place][2], place)
    _add_quantiles(connection, facts, [each for each in shown if each[1].dtype in NUMBERS], step)
    return facts | {"few": few}


def _most_frequent(connection: duckdb.DuckDBPyConnection, name: str, place: int) -> Row:
    present = connection.table("rows").filter(f"{name} is not null")
    groups = present.aggregate(f"{name} as v, count(*) as n", name).to_arrow_table()
    top = groups.sort_by([("n", "descending"), ("v", "ascending")]).slice(0, TOP).to_pylist()
    return {f"distinct{place}": groups.num_rows, f"top{place}": [(one["v"], one["n"]) for one in top]}


def _number(column: Column, name: str) -> str:
    return f"epoch_us({name})" if column.dtype == "timestamp" else name


def _add_quantiles(
    connection: duckdb.DuckDBPyConnection, facts: Row, numbers: Sequence[tuple[int, Column, str]], step: int
) -> None:
    if not numbers:
        return
    shares, parts = ", ".join(map(str, QUANTILES)), []
    for place, column, name in numbers:
        number = _number(column, name)
        edges = _edges(facts[f"min{place}"], facts[f"max{place}"], whole=column.dtype == "integer")
        facts[f"edges{place}"] = edges
        width, last = edges[1] / 2 - edges[0] / 2, len(edges) - 2
        place_in = f"least({last}, floor(({number} / 2.0 - {edges[0] / 2!r}) / {width!r}))::int"
        parts.append(f"quantile_disc({number}, [{shares}]) as quantiles{place}")
        parts.append(f"histogram({place_in}) filter ({name} is not null) as bins{place}")
    facts |= _one(connection, "sample", parts)
    # Each row of the sample stands for as many as there are from one to the next.
    facts |= {f"bins{place}": {key: n * step for key, n in facts[f"bins{place}"] or ()} for place, _, _ in numbers}


def _edges(low: float, high: float, *, whole: bool) -> list[float]:
    """Return the edges of equal bins from the least to the greatest value, at least one."""
    if whole and high - low < BINS:
        return [float(low + place) for place in range(int(high - low) + 2)]
    low, high = float(low), float(high)
    half = high / 2 - low / 2
    if half <= 0 or low + half / BINS == low:
        width = max(abs(low) / 1e12, 1.0)
        # The greatest number there is has no next one.
        return [low, low + width] if math.isfinite(low + width) else [low - width, low]
    return [low * (1 - place / BINS) + high * (place / BINS) for place in range(BINS)] + [high]


def _summary(column: Column, facts: Row, place: int, step: int) -> ColumnSummary:
    present, distinct = facts[f"present{place}"], facts[f"distinct{place}"]
    least, greatest = facts.get(f"min{place}"), facts.get(f"max{place}")
    quantiles = facts.get(f"quantiles{place}")
    exact = place in facts["few"]
    estimated = ([] if exact else ["distinct"]) + (["quantiles", "counts"] if step > 1 and quantiles else [])
    histogram = _histogram(column, facts, place, present)
    return ColumnSummary(
        column=column.name,
        dtype=column.dtype,
        rows=facts["total"],
        missing=facts["total"] - present,
        distinct=distinct if exact else min(distinct, present),
        minimum=_text(column, least),
        maximum=_text(column, greatest),
        mean=_finite(facts.get(f"mean{place}")),
        deviation=_finite(facts.get(f"deviation{place}")),
        quantiles={} if not quantiles else dict(zip(map(str, QUANTILES), _told(column, quantiles), strict=True)),
        histogram=histogram | ({"approximate": estimated} if estimated else {}),
    )


def _histogram(column: Column, facts: Row, place: int, present: int) -> dict[str, Any]:
    if edges := facts.get(f"edges{place}"):
        counted = facts[f"bins{place}"]
        return {"edges": _told(column, edges), "counts": [counted.get(bin_, 0) for bin_ in range(len(edges) - 1)]}
    if (top := facts.get(f"top{place}")) is None:
        return {}
    values = [bounded(value) if isinstance(value, str) else value for value, _ in top]
    return {"values": values, "counts": [n for _, n in top], "other": present - sum(n for _, n in top)}


def _told(column: Column, values: Sequence[Any]) -> list[Any]:
    return [_time(value) for value in values] if column.dtype == "timestamp" else list(values)


def _time(microseconds: float) -> str:
    return time_text(EPOCH + timedelta(microseconds=min(int(microseconds), LAST_US)))


def _text(column: Column, value: Any) -> str:
    if value is None:
        return ""
    if column.dtype == "timestamp":
        return _time(value)
    return bounded(str(value).lower() if isinstance(value, bool) else str(value))


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def examples(path: Path, columns: Sequence[Column]) -> dict[str, list[str]]:
    """Return the first few different values of each column of a staged file, none of those about persons."""
    with pa.OSFile(str(path)) as source, pa.ipc.open_file(source) as file:
        if not file.num_record_batches:
            return {}
        batch = file.get_batch(0).slice(0, 1000)
        return {column.name: list(_different(column, batch)) for column in columns if not column.pii}


def _different(column: Column, batch: pa.RecordBatch) -> Iterator[str]:
    for value in batch.column(column.name).unique().drop_null().slice(0, EXAMPLES).to_pylist():
        yield bounded(time_text(value) if isinstance(value, datetime) else str(value), EXAMPLE_LENGTH)
