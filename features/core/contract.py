"""A dataset's contract as one value: columns, rules, policy, time zone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from features.core.dataset_rules import parse_rules
from features.core.schema import Column, parse_columns
from features.core.times import check_zone
from features.errors import SchemaError
from features.ground.errors import bounded

ON_FAULT = ("quarantine", "fail")
POLICY = ("max_rejected", "on_fault", "require_approval")
TERMS = ("columns", "rules", "timezone", *POLICY)


@dataclass(frozen=True, kw_only=True, slots=True)
class Contract:
    """What a dataset's rows must meet, and what happens where they don't.

    Parameters
    ----------
    columns : tuple of Column
        The columns, in order.
    rules : mapping
        Rules of the dataset as a whole, in full.
    policy : mapping
        Perhaps max_rejected (a share), on_fault (quarantine or fail), require_approval.
    timezone : str
        Zone of times that name none; empty where there is none.
    number : int
        Of the contract version.
    report : mapping or None
        Where it was inferred: what was seen.
    """

    columns: tuple[Column, ...]
    rules: Mapping[str, Any] = field(default_factory=dict)
    policy: Mapping[str, Any] = field(default_factory=dict)
    timezone: str = ""
    number: int = 1
    report: Mapping[str, Any] | None = None

    def as_json(self) -> list[dict[str, Any]]:
        """Return the columns as the dataset stores them."""
        return [column.as_dict() for column in self.columns]

    def terms(self) -> dict[str, Any]:
        """Return it as a contract file holds it, without what is not said."""
        zone = {"timezone": self.timezone} if self.timezone else {}
        rules = {"rules": dict(self.rules)} if self.rules else {}
        return {**self.policy, **zone, **rules, "columns": self.as_json()}

    def dataset_fields(self) -> dict[str, Any]:
        """Return the fields of its dataset."""
        return {
            "schema": self.as_json(),
            "rules": dict(self.rules),
            "timezone": self.timezone,
            "quality_policy": dict(self.policy),
            "entity_columns": [column.name for column in self.columns if column.role == "entity"],
            "timestamp_column": self.single("timestamp"),
            "known_at_column": self.single("known_at"),
            "target_column": self.single("target"),
        }

    def version_fields(self) -> dict[str, Any]:
        """Return the fields of its contract version."""
        terms = {"columns": self.as_json(), "rules": dict(self.rules), "quality_policy": dict(self.policy)}
        return {**terms, "timezone": self.timezone}

    def single(self, role: str) -> str:
        """Return the name of the one column with this role, or an empty text."""
        return next((column.name for column in self.columns if column.role == role), "")

    def hidden(self) -> tuple[str, ...]:
        """Return the names of the columns about persons."""
        return tuple(column.name for column in self.columns if column.pii)


def contract_from(body: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> Contract:
    """Read a contract as a file holds it, or its columns alone.

    Parameters
    ----------
    body : mapping or sequence of mapping
        columns, and perhaps rules, timezone, max_rejected, on_fault and require_approval.

    Returns
    -------
    Contract
        Checked.

    Raises
    ------
    SchemaError
        If a part of it makes no sense.
    """
    said: Mapping[str, Any] = body if isinstance(body, Mapping) else {"columns": body}
    if unknown := said.keys() - set(TERMS):
        raise SchemaError(f"a contract has {', '.join(TERMS)}; got {bounded(sorted(map(str, unknown)))}")
    if not isinstance(said.get("columns"), list | tuple):
        raise SchemaError(f"a contract holds columns, a list; got {bounded(said.get('columns'))}")
    columns = parse_columns(said["columns"])
    policy = {key: said[key] for key in POLICY if said.get(key) is not None}
    return Contract(
        columns=columns,
        rules=parse_rules(said.get("rules"), columns),
        policy=_checked_policy(policy),
        timezone=check_zone(str(said.get("timezone") or "")),
    )


def _checked_policy(policy: Mapping[str, Any]) -> dict[str, Any]:
    share = policy.get("max_rejected", 0.0)
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
        raise SchemaError(f"max_rejected is a share from 0 to 1; got {bounded(share)}")
    if policy.get("on_fault", "quarantine") not in ON_FAULT:
        raise SchemaError(f"on_fault is {' or '.join(ON_FAULT)}; got {bounded(policy['on_fault'])}")
    if not isinstance(policy.get("require_approval", False), bool):
        raise SchemaError(f"require_approval is true or false; got {bounded(policy['require_approval'])}")
    return {**policy, "max_rejected": float(share)} if "max_rejected" in policy else dict(policy)
