"""How many stored rows would not meet an edited contract."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from features.adapters.duck import duck, quoted
from features.adapters.table_rows import stored_rows
from features.core.column import Column, whole
from features.core.column_rules import allowed_values
from features.core.contract import Contract
from features.ground.late import duckdb
from features.models import DatasetVersion

COUNTED = ("nullable", "min", "max", "allowed", "pattern", "unique")


def rows_breaking(version: DatasetVersion, contract: Contract, paths: Sequence[str]) -> dict[str, int]:
    """Return, by path of a column's rule, how many rows of a version don't meet it, where any doesn't."""
    columns = {column.name: column for column in contract.columns}
    asked = [(path, columns[path.rpartition(".")[0]]) for path in paths if path.rpartition(".")[0] in columns]
    counted = [(path, column, path.rpartition(".")[2]) for path, column in asked]
    expressions = [(path, _broken(column, rule)) for path, column, rule in counted if rule in COUNTED]
    parts = [f"{text} as n{place}" for place, (_, text) in enumerate(expressions) if text]
    if not parts:
        return {}
    with duck(rows=stored_rows(version.dataset.name, version.delta_version)) as connection:
        (row,) = connection.table("rows").aggregate(", ".join(parts)).to_arrow_table().to_pylist()
    found = {path: row.get(f"n{place}") or 0 for place, (path, _) in enumerate(expressions)}
    return {path: int(count) for path, count in found.items() if count}


def _broken(column: Column, rule: str) -> str:
    """Return the SQL that counts what breaks a rule, or an empty text where the column has no such rule."""
    name = quoted(column.name)
    if rule == "unique":
        return f"count({name}) - count(distinct {name})" if column.unique else ""
    if rule == "nullable":
        return "" if column.nullable else f"count(*) - count({name})"
    said = getattr(column, rule)
    if said is None:
        return ""
    if rule == "allowed":
        return _count(f"{name} not in ({', '.join(_sql(value) for value in allowed_values(column))})")
    if rule == "pattern":
        # The same engine as when rows are checked.
        return _count(f"not regexp_matches({name}, {_sql(whole(said))})")
    return _count(f"{name} {'<' if rule == 'min' else '>'} {_sql(said)}")


def _count(condition: str) -> str:
    return f"count(*) filter ({condition})"


def _sql(value: Any) -> str:
    """Return a value as SQL, a text quoted whatever it holds."""
    if isinstance(value, datetime):
        return f"{_sql(value.isoformat())}::timestamptz"
    return str(duckdb.ConstantExpression(value))
