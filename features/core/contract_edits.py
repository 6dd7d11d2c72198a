"""Changes of a contract, by path: `COL.min`, `rules.freshness`, `max_rejected`."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from features.core.column import PROPERTIES
from features.core.contract import POLICY, Contract, contract_from
from features.core.dataset_rules import KEYS, SHORT, full_rule
from features.errors import SchemaError
from features.ground.errors import bounded

HERE = ("timezone", *POLICY)


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One thing a contract says otherwise than before.

    Parameters
    ----------
    path : str
        What it is about.
    before, after : Any
        JSON values; None where nothing is said.
    """

    path: str
    before: Any
    after: Any

    def text(self) -> str:
        """Return it for a person."""
        return f"{self.path}: {_shown(self.before)} → {_shown(self.after)}"


def _shown(value: Any) -> str:
    return "–" if value is None else bounded(value)


def edited(contract: Contract, changes: Mapping[str, Any]) -> Contract:
    """Return the contract with some changes.

    Parameters
    ----------
    contract : Contract
        As it is.
    changes : mapping of str to Any
        By path: COLUMN.PROPERTY, rules.RULE, rules.RULE.KEY, max_rejected, on_fault, require_approval or timezone;
        None takes back what is said.

    Returns
    -------
    Contract
        Checked as a whole.

    Raises
    ------
    SchemaError
        If there is nothing at a path, or what is said makes no sense.
    """
    body = contract.terms()
    body["columns"] = {column["name"]: dict(column) for column in body["columns"]}
    body["rules"] = deepcopy(dict(contract.rules))
    for path, value in changes.items():
        _set(body, path, value)
    made = contract_from({**body, "columns": list(body["columns"].values())})
    # The time that orders rows may not be missing, whoever says it.
    timestamp = made.single("timestamp")
    if any(column.name == timestamp and column.nullable for column in made.columns):
        raise SchemaError(f"column {timestamp!r} is the timestamp, so it can't be nullable", column=timestamp)
    return made


def _set(body: dict[str, Any], path: str, value: Any) -> None:
    if path in HERE:
        body[path] = value
        return
    name, _, key = path.rpartition(".")
    if key in PROPERTIES and name in body["columns"]:
        _set_property(body["columns"][name], key, value)
        return
    head, _, rest = path.partition(".")
    rule, _, key = rest.partition(".")
    if head != "rules" or rule not in KEYS:
        columns = bounded(", ".join(body["columns"]), 200)
        raise SchemaError(
            f"there is nothing at {bounded(path)!r}; allowed: COLUMN.PROPERTY (columns: {columns}; properties: "
            f"{', '.join(PROPERTIES)}), rules.RULE ({', '.join(KEYS)}), {', '.join(HERE)}",
            path=path,
        )
    _set_rule(body["rules"], rule, key, value)


def _set_rule(rules: dict[str, Any], rule: str, key: str, value: Any) -> None:
    if not key:
        kept = {} if isinstance(value, Mapping) or rule == "monotone_time" else rules.get(rule, {})
        made = {} if value is None else full_rule(rule, value)
        rules[rule] = {**made, "on_break": kept.get("on_break", made["on_break"])} if made else None
        return
    said = rules[rule] = rules.get(rule) or {}
    inside = said.setdefault("columns", {}) if rule == "max_missing" and key not in ("columns", "on_break") else said
    if value is not None:
        inside[key] = value
        return
    inside.pop(key, None)
    # With the last thing it asks for a rule is gone.
    if KEYS[rule] and not any(said.get(each) for each in KEYS[rule]):
        rules[rule] = None


def _set_property(column: dict[str, Any], key: str, value: Any) -> None:
    column.pop(key, None)
    if value is not None:
        column[key] = value
    elif key == "dtype":
        raise SchemaError(f"column {column['name']!r} needs a dtype", column=column["name"])
    # Rows are placed by it.
    if key == "role" and value == "timestamp":
        column["nullable"] = False


def contract_changes(before: Contract, after: Contract) -> list[Change]:
    """Name what one contract says otherwise than another.

    Parameters
    ----------
    before, after : Contract
        As it was, as it is.

    Returns
    -------
    list of Change
        By path; a column that is new or gone is one change.
    """
    old, new = _leaves(before), _leaves(after)
    paths = [*old, *(path for path in new if path not in old)]
    return [
        Change(path=path, before=old.get(path), after=new.get(path)) for path in paths if old.get(path) != new.get(path)
    ]


def _leaves(contract: Contract) -> dict[str, Any]:
    leaves: dict[str, Any] = {}
    for column in contract.as_json():
        name = column.pop("name")
        leaves |= {f"{name}.{key}": value for key, value in column.items() if value is not None}
    for rule, said in contract.rules.items():
        leaves[f"rules.{rule}"] = dict(said)
    leaves |= dict(contract.policy)
    return leaves | ({"timezone": contract.timezone} if contract.timezone else {})


def read_changes(texts: Sequence[str]) -> dict[str, str]:
    """Return changes as they are written in a command: PATH=VALUE.

    Parameters
    ----------
    texts : sequence of str
        One change each.

    Returns
    -------
    dict of str to str
        Value by path, still as text.

    Raises
    ------
    SchemaError
        If one has no `=`, or a path comes twice.
    """
    pairs = [text.partition("=") for text in texts]
    if wrong := [text for text, pair in zip(texts, pairs, strict=True) if not pair[1] or not pair[0]]:
        raise SchemaError(f"a change is PATH=VALUE, such as delay.min=0; got {bounded(wrong)}")
    changes = {path: value for path, _, value in pairs}
    if len(changes) != len(pairs):
        raise SchemaError(f"each path may come once; got {bounded([path for path, _, _ in pairs])}")
    return changes


# Said as they are written: a pattern such as [0-9]+ is no list, and a time such as 12:30 no number of seconds.
LITERAL = ("pattern", "unit", "description", "timezone", "on_fault", "dtype", "role", SHORT["freshness"], "freshness")


def is_literal(path: str) -> bool:
    """Tell whether the value of a path is a text as it is written.

    Parameters
    ----------
    path : str
        Of a change.

    Returns
    -------
    bool
    """
    return path.rpartition(".")[2] in LITERAL
