"""Columns that the folders of a partitioned table name, as in year=2024/month=01."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from urllib.parse import unquote

from features.errors import HeaderError
from features.ground.late import pa

NOTHING = "__HIVE_DEFAULT_PARTITION__"
WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,17})")
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def partition_values(folders: Sequence[str]) -> dict[str, str | None]:
    """Return the columns named by folders, each with its value; None where it is missing."""
    pairs = (name.split("=", 1) for name in folders if "=" in name)
    return {unquote(name): None if value == NOTHING else unquote(value) for name, value in pairs}


def partition_types(label: str, partitions: Sequence[Mapping[str, str | None]]) -> dict[str, pa.DataType]:
    """Return the type of each such column: whole numbers or days if all values are, else text."""
    if any(set(each) != set(partitions[0]) for each in partitions):
        raise HeaderError(f"{label}: the folders of some files name other columns than those of the first", file=label)
    return {name: _type([each[name] for each in partitions]) for name in partitions[0]}


def _type(values: Sequence[str | None]) -> pa.DataType:
    there = [value for value in values if value is not None]
    if there and all(WHOLE.fullmatch(value) for value in there):
        return pa.int64()
    if there and all(DAY.fullmatch(value) and _is_day(value) for value in there):
        return pa.date32()
    return pa.string()


def _is_day(value: str) -> bool:
    try:
        pa.array([value]).cast(pa.date32())
    except pa.ArrowInvalid:
        return False
    return True


def constant(value: str | None, kind: pa.DataType, length: int) -> pa.Array:
    """Return a column of one value."""
    return pa.repeat(pa.scalar(value, pa.string()), length).cast(kind)
