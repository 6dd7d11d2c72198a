"""Agree on a dataset's contract: what is stored, what is given, or what the rows show."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from features.adapters.policy import approval_required, default_max_rejected
from features.core.contract import Contract, contract_from
from features.core.infer import ColumnGuess, guessed_columns
from features.core.inference_report import inference_report
from features.core.schema import ColumnRoles, with_roles
from features.core.sources import RowSource
from features.core.times import check_zone
from features.errors import ContractNotApprovedError, EmptyFileError, HeaderError, SchemaError
from features.ground.errors import bounded
from features.models import ContractVersion, Dataset

NAME = re.compile(r"[A-Za-z0-9_-]{1,100}")
Given = Mapping[str, Any] | Sequence[Mapping[str, Any]]


def allowed_share(contract: Contract, asked: float | None) -> float:
    """Return the share of faulty rows that may be, from 0 to 1.

    Parameters
    ----------
    contract : Contract
        Whose policy counts where nothing is asked for.
    asked : float or None
        What the caller asks for.

    Returns
    -------
    float
        0 where the contract lets any fault fail.

    Raises
    ------
    SchemaError
        If the share asked for is outside.
    """
    share: float = contract.policy.get("max_rejected", default_max_rejected()) if asked is None else asked
    if not 0 <= share <= 1:
        raise SchemaError(f"max_rejected is a share from 0 to 1; got {share}")
    return 0.0 if contract.policy.get("on_fault") == "fail" else share


def stored_contract(dataset: Dataset) -> Contract:
    """Return the contract in force.

    Parameters
    ----------
    dataset : Dataset
        Whose.

    Returns
    -------
    Contract
    """
    return Contract(
        columns=dataset.columns(),
        rules=dataset.rules,
        policy=dataset.quality_policy,
        timezone=dataset.timezone,
        number=dataset.contract_number,
    )


def agreed_contract(
    name: str, known: Dataset | None, rows: RowSource | None, roles: ColumnRoles, schema: Given | None
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
    ContractNotApprovedError
        If the dataset takes no rows before somebody has approved its contract.
    """
    if not NAME.fullmatch(name):
        raise SchemaError(f"a dataset's name is 1 to 100 letters, digits, _ and -; got {bounded(repr(name))}")
    timezone = check_zone(rows.timezone if rows else "")
    if known is not None:
        stored = stored_contract(known)
        _check_agreement(name, stored, roles, schema)
        _check_approved(known)
        return _in_zone(stored, timezone, name, known=True)
    if schema is not None:
        return _in_zone(_given(schema, roles), timezone, name, known=False)
    if rows is None:
        raise SchemaError(f"dataset {name!r} has no schema yet; give one with --schema")
    return replace(_inferred(rows, roles), timezone=timezone)


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


def _given(schema: Given, roles: ColumnRoles) -> Contract:
    body: Mapping[str, Any] = schema if isinstance(schema, Mapping) else {"columns": schema}
    # Roles first: a rule may need the column that one of them names.
    contract = contract_from({**body, "rules": None})
    columns = with_roles(contract.columns, roles)
    return contract_from({**body, "columns": [column.as_dict() for column in columns]})


def _inferred(rows: RowSource, roles: ColumnRoles) -> Contract:
    names = rows.column_names()
    guesses = [ColumnGuess(name) for name in names]
    malformed = 0
    for chunk in rows.chunks(names):
        malformed += len(chunk.malformed)
        for guess in guesses:
            guess.update(chunk.table.column(guess.name).combine_chunks(), chunk.fitting.get(guess.name))
    if malformed and not any(guess.rows for guess in guesses):
        text = f"{rows.label} names {len(names)} columns in its header, and none of its {malformed} rows has as many"
        raise HeaderError(f"{text} fields; give a file without its first line the names with --columns --no-header")
    if not any(guess.rows for guess in guesses):
        raise EmptyFileError(f"{rows.label} holds no row below its header; expected at least one")
    return Contract(columns=with_roles(guessed_columns(guesses), roles), report=inference_report(guesses))


def _check_agreement(name: str, stored: Contract, roles: ColumnRoles, schema: Given | None) -> None:
    said = {column.name: column.role for column in stored.columns}
    other = {column: role for column, role in roles.by_column().items() if said.get(column) != role}
    if other:
        text = ", ".join(
            f"{column} is {said.get(column, 'not a column')}, not {role}" for column, role in other.items()
        )
        raise SchemaError(f"dataset {name!r} has a schema already: {bounded(text, 300)}", columns=sorted(other))
    if schema is not None and _differs(contract_from(schema), stored, schema):
        text = f"`schema {name}` shows it, `schema {name} --import FILE` changes it"
        raise SchemaError(f"dataset {name!r} has another schema already; {text}")


def _differs(given: Contract, stored: Contract, schema: Given) -> bool:
    said = schema.keys() if isinstance(schema, Mapping) else {"columns"}
    theirs, ours = given.terms(), replace(stored, report=None).terms()
    return any(theirs.get(key) != ours.get(key) for key in said)


def _check_approved(dataset: Dataset) -> None:
    if not dataset.quality_policy.get("require_approval", approval_required()):
        return
    proposed = dataset.contracts.filter(number=dataset.contract_number, state=ContractVersion.State.PROPOSED)
    if proposed.exists():
        raise ContractNotApprovedError(
            f"contract {dataset.contract_number} of {dataset.name!r} waits for approval, and the dataset takes no rows "
            f"before; `schema {dataset.name} --approve --reason TEXT` gives it",
            dataset=dataset.name,
            contract=dataset.contract_number,
        )
