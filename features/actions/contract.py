"""Agree on a dataset's contract: what is stored, what is given, or what the rows show."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from features.adapters.policy import default_max_rejected
from features.core.infer import ColumnGuess, guessed_columns
from features.core.schema import Column, ColumnRoles, parse_columns, with_roles
from features.core.sources import RowSource
from features.core.times import check_zone
from features.errors import EmptyFileError, HeaderError, SchemaError
from features.ground.errors import bounded
from features.models import Dataset

NAME = re.compile(r"[A-Za-z0-9_-]{1,100}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Contract:
    """A dataset's columns, its quality policy, and the zone of times that name none."""

    columns: tuple[Column, ...]
    policy: dict[str, float] = field(default_factory=dict)
    timezone: str = ""

    def as_json(self) -> list[dict[str, Any]]:
        """Return the columns as the dataset stores them."""
        return [column.as_dict() for column in self.columns]

    def allowed_share(self, asked: float | None) -> float:
        """Return the share of faulty rows that may be, from 0 to 1.

        Raises
        ------
        SchemaError
            If the share asked for is outside.
        """
        share = self.policy.get("max_rejected", default_max_rejected()) if asked is None else asked
        if not 0 <= share <= 1:
            raise SchemaError(f"max_rejected is a share from 0 to 1; got {share}")
        return share

    def dataset_fields(self) -> dict[str, Any]:
        """Return the fields of a new dataset."""
        return {
            "schema": self.as_json(),
            "quality_policy": self.policy,
            "timezone": self.timezone,
            "entity_columns": [column.name for column in self.columns if column.role == "entity"],
            "timestamp_column": self._single("timestamp"),
            "known_at_column": self._single("known_at"),
            "target_column": self._single("target"),
        }

    def _single(self, role: str) -> str:
        return next((column.name for column in self.columns if column.role == role), "")


def agreed_contract(
    name: str,
    known: Dataset | None,
    rows: RowSource | None,
    roles: ColumnRoles,
    schema: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None,
) -> Contract:
    """Return the contract rows are checked against.

    Parameters
    ----------
    name : str
        The dataset's name.
    known : Dataset or None
        The dataset, where it is there already.
    rows : RowSource or None
        Where a contract can be inferred from, and what zone its times are said to be of.
    roles : ColumnRoles
        What the caller says the columns are for.
    schema : mapping or sequence of mapping or None
        A contract given by the caller.

    Returns
    -------
    Contract

    Raises
    ------
    SchemaError
        If the name can't be used, or what is said disagrees with what is stored.
    """
    if not NAME.fullmatch(name):
        raise SchemaError(f"a dataset's name is 1 to 100 letters, digits, _ and -; got {bounded(repr(name))}")
    timezone = check_zone(rows.timezone if rows else "")
    if known is not None:
        stored = Contract(columns=known.columns(), policy=known.quality_policy, timezone=known.timezone)
        _check_agreement(name, stored, roles, schema)
        return _in_zone(stored, timezone, name, known=True)
    if schema is not None:
        return _in_zone(_given(schema, roles), timezone, name, known=False)
    if rows is None:
        raise SchemaError(f"dataset {name!r} has no schema yet; give one with --schema")
    return Contract(columns=with_roles(_inferred(rows), roles), timezone=timezone)


def _in_zone(contract: Contract, timezone: str, name: str, *, known: bool) -> Contract:
    if timezone in ("", contract.timezone):
        return contract
    if contract.timezone:
        text = f"times without a zone are of {contract.timezone}, not {timezone}"
        raise SchemaError(f"dataset {name!r} has a contract already: {text}", timezone=contract.timezone)
    if known:
        text = f"dataset {name!r} has a contract already, which names no zone for times without one"
        raise SchemaError(f"{text}; `schema {name} --set timezone={timezone}` names it", timezone="")
    return replace(contract, timezone=timezone)


def _given(schema: Mapping[str, Any] | Sequence[Mapping[str, Any]], roles: ColumnRoles) -> Contract:
    body: Mapping[str, Any] = schema if isinstance(schema, Mapping) else {"columns": schema}
    share = body.get("max_rejected", 0.0)
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
        raise SchemaError(f"max_rejected is a share from 0 to 1; got {bounded(share)}")
    policy = {"max_rejected": float(share)} if "max_rejected" in body else {}
    columns = with_roles(parse_columns(body["columns"]), roles)
    return Contract(columns=columns, policy=policy, timezone=check_zone(str(body.get("timezone") or "")))


def _inferred(rows: RowSource) -> tuple[Column, ...]:
    names = rows.column_names()
    guesses = [ColumnGuess(name) for name in names]
    malformed = 0
    for chunk in rows.chunks(names):
        malformed += len(chunk.malformed)
        for guess in guesses:
            guess.update(chunk.table.column(guess.name).combine_chunks())
    if malformed and not any(guess.rows for guess in guesses):
        text = f"{rows.label} names {len(names)} columns in its header, and none of its {malformed} rows has as many"
        raise HeaderError(f"{text} fields; give a file without its first line the names with --columns --no-header")
    if not any(guess.rows for guess in guesses):
        raise EmptyFileError(f"{rows.label} holds no row below its header; expected at least one")
    return guessed_columns(guesses)


def _check_agreement(
    name: str, stored: Contract, roles: ColumnRoles, schema: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None
) -> None:
    said = {column.name: column.role for column in stored.columns}
    other = {column: role for column, role in roles.by_column().items() if said.get(column) != role}
    if other:
        text = ", ".join(
            f"{column} is {said.get(column, 'not a column')}, not {role}" for column, role in other.items()
        )
        raise SchemaError(f"dataset {name!r} has a schema already: {bounded(text, 300)}", columns=sorted(other))
    if schema is not None and _given(schema, ColumnRoles()).as_json() != stored.as_json():
        raise SchemaError(f"dataset {name!r} has another schema already; `schema {name}` shows it")
