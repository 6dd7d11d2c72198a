"""The contract of a dataset: its columns, what they may hold and what they are for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from features.core.column import ARROW_TYPES, DTYPES, ROLES, Column, Dtype, Role, check_column, column_from
from features.errors import SchemaError
from features.ground.errors import bounded
from features.ground.late import pa

__all__ = [
    "ARROW_TYPES",
    "DTYPES",
    "ROLES",
    "Column",
    "ColumnRoles",
    "Dtype",
    "Role",
    "arrow_schema",
    "check_names",
    "parse_columns",
    "with_roles",
]
MAX_COLUMNS = 500
MAX_NAME = 200


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
    columns = tuple(column_from(item) for item in items)
    check_names([column.name for column in columns])
    for role in ("target", "timestamp", "known_at"):
        named = [column.name for column in columns if column.role == role]
        if len(named) > 1:
            raise SchemaError(f"one column may have the role {role}; got {bounded(named)}")
    return columns


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
        check_column(column)
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
