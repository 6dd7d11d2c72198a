"""What a new definition of a view changes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from features.core.aggregations import UNITS, Aggregation
from features.core.derived import Derived
from features.core.windows import ViewDefinition


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One thing that differs.

    Parameters
    ----------
    what : str
        feature, ttl, entity or test.
    name : str
        Of the feature or test; else empty.
    before, after : str or None
        As it was and as it would be; None where it wasn't, or wouldn't be, there.
    """

    what: str
    name: str
    before: str | None
    after: str | None

    def __str__(self) -> str:
        """Return the change as a line of a plan."""
        named = f"{self.what} {self.name}".rstrip()
        if self.before is None:
            return f"+ {named}: {self.after}"
        if self.after is None:
            return f"- {named}: {self.before}"
        return f"~ {named}: {self.before} → {self.after}"


def changes(before: ViewDefinition | None, after: ViewDefinition) -> list[Change]:
    """Compare two definitions of a view.

    Parameters
    ----------
    before : ViewDefinition or None
        The newest; None where there is none.
    after : ViewDefinition
        What was declared.

    Returns
    -------
    list of Change
        Empty where no value and no test changes.
    """
    plain: list[tuple[str, str | None, str | None]] = [
        ("entity", ", ".join(before.entity) if before else None, ", ".join(after.entity)),
        ("ttl", _ttl(before), _ttl(after)),
    ]
    found = [Change(what=what, name="", before=old, after=new) for what, old, new in plain if old != new]
    found += _named("feature", _features(before), _features(after))
    return found + _named("test", _tests(before), _tests(after))


def _ttl(view: ViewDefinition | None) -> str | None:
    if view is None or not view.ttl_seconds:
        return None
    unit = next(unit for unit in ("d", "h", "m", "s") if view.ttl_seconds % UNITS[unit] == 0)
    return f"{view.ttl_seconds // UNITS[unit]}{unit}"


def _features(view: ViewDefinition | None) -> dict[str, str]:
    features: tuple[Aggregation | Derived, ...] = (*view.features, *view.derived) if view else ()
    return {feature.name: str(feature) for feature in features}


def _tests(view: ViewDefinition | None) -> dict[str, str]:
    return {test.name: str(test) for test in view.tests} if view else {}


def _named(what: str, before: Mapping[str, str], after: Mapping[str, Any]) -> list[Change]:
    names = dict.fromkeys([*after, *before])
    pairs = [(name, before.get(name), after.get(name)) for name in names]
    return [Change(what=what, name=name, before=old, after=new) for name, old, new in pairs if old != new]
