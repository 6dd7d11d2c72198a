"""One column of a contract, and what may be said about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime
from typing import Any, Literal, get_args

from features.errors import SchemaError
from features.ground.errors import bounded
from features.ground.late import LateMapping, pa, pc

Dtype = Literal["integer", "number", "boolean", "string", "timestamp"]
Role = Literal["feature", "target", "entity", "timestamp", "known_at", "ignore"]
DTYPES: tuple[Dtype, ...] = get_args(Dtype)
ROLES: tuple[Role, ...] = get_args(Role)
ARROW_TYPES: Mapping[str, pa.DataType] = LateMapping(
    lambda: {
        "integer": pa.int64(),
        "number": pa.float64(),
        "boolean": pa.bool_(),
        "string": pa.string(),
        "timestamp": pa.timestamp("us", tz="UTC"),
    }
)
MAX_PATTERN = 500
MAX_ALLOWED = 10_000
MAX_WORDS = 1000
INT64 = 2**63
# Said of a column only where there is something to say, so that a contract without them reads as it always did.
WHERE_SAID = ("pattern", "unique", "pii", "unit", "description")


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """One column of a dataset.

    Parameters
    ----------
    name : str
        As in the file.
    dtype : str
        integer, number, boolean, string or timestamp.
    nullable : bool
        Whether a value may be missing.
    min, max : int, float, datetime or None
        Bounds, both allowed values; numbers and times.
    allowed : tuple or None
        The only values there may be.
    role : str
        feature, target, entity, timestamp, known_at or ignore.
    pattern : str or None
        Regular expression (RE2) that a whole text must match.
    unique : bool
        Whether a value may come once only, in the whole table.
    pii : bool
        Whether the values are about persons: they are shown nowhere.
    unit, description : str
        For people.
    """

    name: str
    dtype: Dtype
    nullable: bool = True
    min: Any = None
    max: Any = None
    allowed: tuple[Any, ...] | None = None
    role: Role = "feature"
    pattern: str | None = None
    unique: bool = False
    pii: bool = False
    unit: str = ""
    description: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return the column as the JSON object a schema holds."""
        body = {field.name: getattr(self, field.name) for field in fields(self)}
        body["allowed"] = list(self.allowed) if self.allowed is not None else None
        body |= {side: time_text(body[side]) for side in ("min", "max") if isinstance(body[side], datetime)}
        return {key: value for key, value in body.items() if value or key not in WHERE_SAID}


PROPERTIES = tuple(field.name for field in fields(Column) if field.name != "name")


def time_text(value: datetime) -> str:
    """Return a time as ISO 8601 in UTC.

    Parameters
    ----------
    value : datetime
        With a zone.

    Returns
    -------
    str
        Ending in Z.
    """
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def column_from(item: Mapping[str, Any]) -> Column:
    """Read one column from its JSON object.

    Parameters
    ----------
    item : mapping
        Keys as the fields of `Column`; all but name and dtype may be left out.

    Returns
    -------
    Column

    Raises
    ------
    SchemaError
        If a key, type, role or bound is not allowed.
    """
    if not isinstance(item, Mapping) or not {"name", "dtype"} <= item.keys():
        raise SchemaError(f"a column needs name and dtype; got {bounded(item)}")
    unknown = item.keys() - {"name", *PROPERTIES}
    if unknown:
        raise SchemaError(f"column {item['name']!r} has unknown keys {sorted(map(str, unknown))}", column=item["name"])
    values = dict(item)
    if values.get("allowed") is not None:
        if not isinstance(values["allowed"], list | tuple):
            raise SchemaError(f"column {item['name']!r}: allowed is a list; got {bounded(values['allowed'])}")
        values["allowed"] = tuple(values["allowed"])
    if values["dtype"] == "timestamp":
        values |= {side: _time(item["name"], values[side]) for side in ("min", "max") if values.get(side) is not None}
    column = Column(**values)
    check_column(column)
    _check_words(column)
    _check_bounds(column)
    _check_allowed(column)
    _check_pattern(column)
    return column


def _time(name: str, value: object) -> Any:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return value
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)
    if isinstance(value, datetime):
        try:
            return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC)
        except OverflowError as error:
            raise SchemaError(f"column {name!r}: no calendar holds {bounded(value)} in UTC", column=name) from error
    return value


def check_column(column: Column) -> None:
    """Refuse a dtype or role there is not, or one that doesn't go with the other.

    Parameters
    ----------
    column : Column
        What is said about it.

    Raises
    ------
    SchemaError
        Naming what is allowed.
    """
    name = bounded(column.name)
    if column.dtype not in DTYPES:
        raise SchemaError(f"column {name!r} has dtype {column.dtype!r}; allowed: {', '.join(DTYPES)}", column=name)
    if column.role not in ROLES:
        raise SchemaError(f"column {name!r} has role {column.role!r}; allowed: {', '.join(ROLES)}", column=name)
    if column.role in ("timestamp", "known_at") and column.dtype != "timestamp":
        raise SchemaError(
            f"column {name!r} is to be the {column.role}, so it must hold times (ISO 8601); it holds {column.dtype}",
            column=name,
        )
    if (column.min is not None or column.max is not None) and column.dtype not in ("integer", "number", "timestamp"):
        raise SchemaError(f"column {name!r} is {column.dtype}; only numbers and times have min and max", column=name)
    if column.pattern is not None and column.dtype != "string":
        raise SchemaError(f"column {name!r} is {column.dtype}; only text has a pattern", column=name)


def _check_words(column: Column) -> None:
    for key in ("nullable", "unique", "pii"):
        if not isinstance(getattr(column, key), bool):
            raise SchemaError(f"column {column.name!r}: {key} is true or false; got {bounded(getattr(column, key))}")
    for key in ("unit", "description"):
        said = getattr(column, key)
        if not isinstance(said, str) or len(said) > MAX_WORDS or "\x00" in said:
            raise SchemaError(f"column {column.name!r}: {key} is a text of at most {MAX_WORDS} characters")


def _check_bounds(column: Column) -> None:
    bounds = [bound for bound in (column.min, column.max) if bound is not None]
    if column.dtype == "timestamp":
        fit, what = all(isinstance(bound, datetime) for bound in bounds), "times (ISO 8601)"
    else:
        limit = INT64 if column.dtype == "integer" else 1e308
        fit, what = all(_is_number(bound, limit) for bound in bounds), "numbers"
    if not fit or bounds != sorted(bounds):
        raise SchemaError(
            f"column {column.name!r}: min and max are {what}, min ≤ max; "
            f"got min {bounded(column.min)}, max {bounded(column.max)}"
        )


def _is_number(value: object, limit: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and -limit < value < limit


def _check_allowed(column: Column) -> None:
    if column.allowed is None:
        return
    if not 0 < len(column.allowed) <= MAX_ALLOWED:
        count = len(column.allowed)
        raise SchemaError(f"column {column.name!r}: allowed holds 1 to {MAX_ALLOWED} values; got {count}")
    wrong = [value for value in column.allowed if not _may_be_allowed(value, column.dtype)]
    if wrong:
        raise SchemaError(
            f"column {column.name!r}: allowed holds values of {column.dtype}, texts in quotes; got {bounded(wrong)}"
        )


def _may_be_allowed(value: object, dtype: str) -> bool:
    if dtype == "string":
        return isinstance(value, str)
    if dtype == "boolean":
        return isinstance(value, int) and value in (0, 1)
    if dtype == "integer":
        return _is_number(value, INT64) and value == int(value)  # type: ignore[call-overload]
    return dtype == "number" and _is_number(value, 1e308)


def _check_pattern(column: Column) -> None:
    if column.pattern is None:
        return
    if not isinstance(column.pattern, str) or not 0 < len(column.pattern) <= MAX_PATTERN:
        raise SchemaError(f"column {column.name!r}: a pattern is a text of 1 to {MAX_PATTERN} characters")
    try:
        # Alone first: `a)|(b` is a pattern only between the brackets that bind it to both ends.
        for pattern in (column.pattern, whole(column.pattern)):
            pc.match_substring_regex(pa.array([""]), pattern)
    except (pa.ArrowInvalid, UnicodeEncodeError) as error:
        raise SchemaError(
            f"column {column.name!r}: {bounded(column.pattern)!r} is no pattern (RE2 syntax: no look-around, no "
            f"back-reference): {bounded(str(error).splitlines()[0], 160)}",
            column=column.name,
        ) from error


def whole(pattern: str) -> str:
    """Return the pattern that matches where all of a text matches this one.

    Parameters
    ----------
    pattern : str
        RE2 syntax.

    Returns
    -------
    str
        The same, bound to both ends.
    """
    return rf"\A(?:{pattern})\z"
