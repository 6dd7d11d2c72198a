"""Rules of a dataset as a whole: how many rows, how fresh, how much may be missing, whether time goes on."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, get_args

from features.core.aggregations import seconds
from features.core.column import Column, time_text
from features.errors import DefinitionError, SchemaError
from features.ground.errors import bounded

OnBreak = Literal["fail", "warn"]
ON_BREAK: tuple[OnBreak, ...] = get_args(OnBreak)
KEYS = {
    "row_count": {"min", "max"},
    "freshness": {"max_age"},
    "max_missing": {"columns"},
    "monotone_time": set[str](),
}
# What a rule may be said in, where one value says all.
SHORT = {"row_count": "min", "freshness": "max_age", "max_missing": "columns"}
MAX_ROWS = 10**15


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchFacts:
    """What an ingestion's valid rows show.

    Parameters
    ----------
    rows : int
        How many there are.
    missing : mapping of str to int
        Missing values by column; a column without any may be left out.
    oldest, newest : datetime or None
        First and last event time.
    in_order : bool
        Whether no row is older than the one before it.
    newest_before : datetime or None
        Last event time of the dataset's last version.
    """

    rows: int
    missing: Mapping[str, int] = field(default_factory=dict)
    oldest: datetime | None = None
    newest: datetime | None = None
    in_order: bool = True
    newest_before: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class BrokenRule:
    """A rule the rows of an ingestion break as a whole.

    Parameters
    ----------
    rule : str
        row_count, freshness, max_missing or monotone_time.
    on_break : str
        fail or warn.
    column : str
        Empty where the rule is about no column.
    allowed, observed : str
        What the rule asks for, and what came.
    """

    rule: str
    on_break: OnBreak
    column: str
    allowed: str
    observed: str

    def as_dict(self) -> dict[str, str]:
        """Return it as the JSON object a version keeps."""
        return asdict(self)

    def text(self) -> str:
        """Return it for a person."""
        of = f" of {self.column}" if self.column else ""
        return f"{self.rule}{of}: {self.observed}, allowed: {self.allowed}"


def parse_rules(body: object, columns: Sequence[Column]) -> dict[str, dict[str, Any]]:
    """Read the rules of a dataset.

    Parameters
    ----------
    body : mapping or None
        By rule; `freshness: 2d` is short for `freshness: {max_age: 2d}`, and so on; `on_break` is fail unless said.
    columns : sequence of Column
        The columns rules may name.

    Returns
    -------
    dict
        The rules, each in full; those that are None are left out.

    Raises
    ------
    SchemaError
        If a rule, a key or a value makes no sense.
    """
    if body is not None and not isinstance(body, Mapping):
        raise SchemaError(f"rules is a mapping of {', '.join(KEYS)}; got {bounded(body)}")
    rules = {name: full_rule(str(name), said) for name, said in (body or {}).items() if said is not None}
    for name, rule in rules.items():
        _check_rule(name, rule, columns)
    return {name: rules[name] for name in KEYS if rules.get(name)}


def full_rule(name: str, said: Any) -> dict[str, Any]:
    """Return a rule in full, whichever way it is said.

    Parameters
    ----------
    name : str
        Of the rule.
    said : Any
        A mapping, or the one value that says all.

    Returns
    -------
    dict
        Empty where the rule is turned off.

    Raises
    ------
    SchemaError
        If there is no such rule or key.
    """
    if name not in KEYS:
        raise SchemaError(f"there is no rule {bounded(name)!r}; allowed: {', '.join(KEYS)}")
    if name == "monotone_time" and not isinstance(said, Mapping):
        if said is False:
            return {}
        said = {} if said is True else {"on_break": said}
    elif not isinstance(said, Mapping) or (name == "max_missing" and not said.keys() <= {"columns", "on_break"}):
        said = {SHORT[name]: said}
    rule = {"on_break": "fail", **said}
    if unknown := rule.keys() - KEYS[name] - {"on_break"}:
        allowed = ", ".join(sorted(KEYS[name] | {"on_break"}))
        raise SchemaError(f"rule {name} has {allowed}; got {bounded(sorted(map(str, unknown)))}")
    if rule["on_break"] not in ON_BREAK:
        raise SchemaError(f"rule {name}: on_break is fail or warn; got {bounded(rule['on_break'])}")
    return {key: value for key, value in rule.items() if value is not None}


def _check_rule(name: str, rule: Mapping[str, Any], columns: Sequence[Column]) -> None:
    if not rule:
        return
    if KEYS[name] and not rule.keys() & KEYS[name]:
        raise SchemaError(f"rule {name} needs {' or '.join(sorted(KEYS[name]))}")
    if name == "row_count":
        limits = [rule[side] for side in ("min", "max") if side in rule]
        if limits != sorted(filter(_is_count, limits)):
            raise SchemaError(f"row_count: min and max are whole numbers, min ≤ max; got {bounded(limits)}")
    if name == "max_missing":
        _check_shares(rule["columns"], columns)
    if name == "freshness":
        max_age(rule)
    if name in ("freshness", "monotone_time") and not any(column.role == "timestamp" for column in columns):
        raise SchemaError(f"rule {name} needs a column with the role timestamp")


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_ROWS


def _check_shares(shares: object, columns: Sequence[Column]) -> None:
    names = {column.name for column in columns}
    if not isinstance(shares, Mapping) or not shares.keys() <= names:
        raise SchemaError(f"max_missing names columns of the contract with a share each; got {bounded(shares)}")
    for name, share in shares.items():
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
            raise SchemaError(f"max_missing of {name!r} is a share from 0 to 1; got {bounded(share)}")


def max_age(rule: Mapping[str, Any]) -> timedelta:
    """Return how old the newest event may be.

    Parameters
    ----------
    rule : mapping
        Of freshness.

    Returns
    -------
    timedelta

    Raises
    ------
    SchemaError
        If it is no number of seconds, minutes, hours, days or weeks.
    """
    try:
        return timedelta(seconds=seconds(str(rule["max_age"])))
    except DefinitionError as error:
        raise SchemaError(f"freshness: max_age is as 90m, 12h or 2d; got {bounded(rule['max_age'])}") from error


def broken_dataset_rules(rules: Mapping[str, Any], facts: BatchFacts, now: datetime) -> list[BrokenRule]:
    """Return all rules an ingestion breaks.

    Parameters
    ----------
    rules : mapping
        As `parse_rules` returns them.
    facts : BatchFacts
        What came.
    now : datetime
        Against which freshness is measured.

    Returns
    -------
    list of BrokenRule
        In the order of the rules.
    """
    found: list[BrokenRule] = []
    for name, rule in rules.items():
        for column, allowed, observed in _BREAKS[name](rule, facts, now):
            broken = BrokenRule(rule=name, on_break=rule["on_break"], column=column, allowed=allowed, observed=observed)
            found.append(broken)
    return found


Breaks = list[tuple[str, str, str]]


def _row_count(rule: Mapping[str, Any], facts: BatchFacts, _now: datetime) -> Breaks:
    low, high = rule.get("min", 0), rule.get("max", MAX_ROWS)
    if low <= facts.rows <= high:
        return []
    sides = [f"{word} {rule[side]}" for side, word in (("min", "at least"), ("max", "at most")) if side in rule]
    return [("", ", ".join(sides), f"{facts.rows} valid rows")]


def _freshness(rule: Mapping[str, Any], facts: BatchFacts, now: datetime) -> Breaks:
    if facts.newest is not None and now - facts.newest <= max_age(rule):
        return []
    newest = time_text(facts.newest) if facts.newest else "none"
    return [("", f"at most {rule['max_age']} old at {time_text(now)}", f"the newest event is of {newest}")]


def _max_missing(rule: Mapping[str, Any], facts: BatchFacts, _now: datetime) -> Breaks:
    shares = {name: facts.missing.get(name, 0) / max(facts.rows, 1) for name in rule["columns"]}
    return [
        (name, f"at most {rule['columns'][name]:.2%} missing", f"{share:.2%} missing")
        for name, share in shares.items()
        if share > rule["columns"][name]
    ]


def _monotone_time(_rule: Mapping[str, Any], facts: BatchFacts, _now: datetime) -> Breaks:
    found: Breaks = []
    if not facts.in_order:
        found.append(("", "each row at or after the one before it", "rows out of order"))
    if facts.oldest and facts.newest_before and facts.oldest < facts.newest_before:
        first, last = time_text(facts.oldest), time_text(facts.newest_before)
        found.append(("", f"from {last} on, where the last version ended", f"the first event is of {first}"))
    return found


_BREAKS = {
    "row_count": _row_count,
    "freshness": _freshness,
    "max_missing": _max_missing,
    "monotone_time": _monotone_time,
}
