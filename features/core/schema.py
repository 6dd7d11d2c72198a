"""The contract of a dataset: its columns, what they may hold and what they are for."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

import pyarrow as pa

from features.errors import SchemaError
from features.ground.errors import bounded

Dtype = Literal["integer", "number", "boolean", "string", "timestamp"]
Role = Literal["feature", "target", "entity", "timestamp", "known_at", "ignore"]
DTYPES: tuple[Dtype, ...] = get_args(Dtype)
ROLES: tuple[Role, ...] = get_args(Role)
ARROW_TYPES: dict[str, pa.DataType] = {
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "string": pa.string(),
    "timestamp": pa.timestamp("us", tz="UTC"),
}
MAX_COLUMNS = 500
MAX_NAME = 200


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
    min, max : float or None
        Bounds, both allowed values; numbers only.
    allowed : tuple or None
        The only values there may be.
    role : str
        feature, target, entity, timestamp, known_at or ignore.
    """

    name: str
    dtype: Dtype
    nullable: bool = True
    min: float | None = None
    max: float | None = None
    allowed: tuple[Any, ...] | None = None
    role: Role = "feature"

    def as_dict(self) -> dict[str, Any]:
        """Return the column as the JSON object a schema holds."""
        body = asdict(self)
        body["allowed"] = list(self.allowed) if self.allowed is not None else None
        return body


@dataclass(frozen=True, kw_only=True, slots=True)
class ColumnRoles:
    """What the caller says the columns are for; an empty value says nothing."""

    target: str = ""
    entity: tuple[str, ...] = ()
    timestamp: str = ""
    known_at: str = ""
    ignore: tuple[str, ...] = ()

    def by_column(self) -> dict[str, Role]:
        """Return the role of each named column.

        Raises
        ------
        SchemaError
            If one column is given two roles.
        """
        pairs: list[tuple[str, Role]] = [(name, "entity") for name in self.entity]
        pairs += [(name, "ignore") for name in self.ignore]
        single: tuple[tuple[str, Role], ...] = (
            (self.target, "target"), (self.timestamp, "timestamp"), (self.known_at, "known_at"),
        )  # fmt: skip
        pairs += [(name, role) for name, role in single if name]
        roles = dict(pairs)
        if len(roles) != len(pairs):
            raise SchemaError(f"a column may have one role; got {bounded(pairs)}")
        return roles


def parse_columns(items: Iterable[Mapping[str, Any]]) -> tuple[Column, ...]:
    """Read columns from their JSON objects.

    Parameters
    ----------
    items : iterable of mapping
        Keys as the fields of `Column`; all but name and dtype may be left out.

    Returns
    -------
    tuple of Column
        In the same order.

    Raises
    ------
    SchemaError
        If a key, type, role or bound is not allowed, or a name comes twice.
    """
    columns = tuple(_column(item) for item in items)
    check_names([column.name for column in columns])
    for role in ("target", "timestamp", "known_at"):
        named = [column.name for column in columns if column.role == role]
        if len(named) > 1:
            raise SchemaError(f"one column may have the role {role}; got {bounded(named)}")
    return columns


def _column(item: Mapping[str, Any]) -> Column:
    if not isinstance(item, Mapping) or not {"name", "dtype"} <= item.keys():
        raise SchemaError(f"a column needs name and dtype; got {bounded(item)}")
    unknown = item.keys() - Column.__dataclass_fields__.keys()
    if unknown:
        raise SchemaError(f"column {item['name']!r} has unknown keys {sorted(map(str, unknown))}", column=item["name"])
    values = dict(item)
    if values.get("allowed") is not None:
        if not isinstance(values["allowed"], list | tuple):
            raise SchemaError(f"column {item['name']!r}: allowed is a list; got {bounded(values['allowed'])}")
        values["allowed"] = tuple(values["allowed"])
    column = Column(**values)
    _check_column(column)
    _check_values(column)
    return column


def _check_column(column: Column) -> None:
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
    if (column.min is not None or column.max is not None) and column.dtype not in ("integer", "number"):
        raise SchemaError(f"column {name!r} is {column.dtype}; only numbers have min and max", column=name)


def _check_values(column: Column) -> None:
    bounds = [bound for bound in (column.min, column.max) if bound is not None]
    if not all(_is_number(bound) for bound in bounds) or bounds != sorted(bounds):
        raise SchemaError(
            f"column {column.name!r}: min and max are numbers, min ≤ max; "
            f"got min {bounded(column.min)}, max {bounded(column.max)}"
        )
    fits = str if column.dtype == "string" else (str, int, float)
    wrong = [value for value in column.allowed or () if not isinstance(value, fits) or value != value]
    if wrong:
        raise SchemaError(
            f"column {column.name!r}: allowed holds values of {column.dtype}, texts in quotes; got {bounded(wrong)}"
        )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and -1e308 < value < 1e308


def check_names(names: Sequence[str]) -> None:
    """Refuse column names that can't be told apart, shown or stored.

    Parameters
    ----------
    names : sequence of str
        Names as they came, in order.

    Raises
    ------
    SchemaError
        If there are none or too many, or one is empty, too long, repeated or holds control characters.
    """
    if not 0 < len(names) <= MAX_COLUMNS:
        raise SchemaError(f"a dataset has 1 to {MAX_COLUMNS} columns; got {len(names)}")
    for name in names:
        if not isinstance(name, str) or not name.strip() or len(name) > MAX_NAME or not name.isprintable():
            raise SchemaError(f"a column name is 1 to {MAX_NAME} printable characters; got {bounded(repr(name))}")
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise SchemaError(f"each column name may come once; repeated: {bounded(repeated)}", columns=repeated[:20])


def with_roles(columns: Sequence[Column], roles: ColumnRoles) -> tuple[Column, ...]:
    """Return the columns with these roles; times that order rows may not be missing.

    Parameters
    ----------
    columns : sequence of Column
        Columns as they are.
    roles : ColumnRoles
        Which column plays which part.

    Returns
    -------
    tuple of Column
        The same columns in the same order.

    Raises
    ------
    SchemaError
        If a named column isn't there or can't have its role.
    """
    wanted = roles.by_column()
    missing = sorted(wanted.keys() - {column.name for column in columns})
    if missing:
        names = bounded(", ".join(column.name for column in columns), 300)
        raise SchemaError(f"no column named {bounded(missing)}; there are: {names}", columns=missing)
    given = tuple(replace(column, role=wanted.get(column.name, column.role)) for column in columns)
    # A row without its time can't be placed; one without an entity is a label without history.
    given = tuple(replace(c, nullable=c.nullable and c.role != "timestamp") for c in given)
    for column in given:
        _check_column(column)
    return given


def arrow_schema(columns: Sequence[Column]) -> pa.Schema:
    """Return the Arrow schema rows of these columns have.

    Parameters
    ----------
    columns : sequence of Column
        Columns of a contract.

    Returns
    -------
    pyarrow.Schema
        One field for each column, in order.
    """
    return pa.schema([pa.field(column.name, ARROW_TYPES[column.dtype]) for column in columns])
