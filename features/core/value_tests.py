"""What the values of a view must meet each time they are made."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from features.errors import DefinitionError
from features.ground.errors import bounded

KEYS = {"name", "feature", "not_null", "min", "max", "max_missing"}
FORM = "a test has feature and not_null, min or max, or max_missing with or without a feature, and may have a name"


@dataclass(frozen=True, kw_only=True, slots=True)
class ValueTest:
    """One demand on a view's values.

    Parameters
    ----------
    name : str
        What a refusal calls it.
    feature : str
        The feature it is about; empty for all of them.
    not_null : bool
        No value may be missing.
    min, max : float or None
        Least and greatest value allowed; a missing value meets them.
    max_missing : float or None
        Greatest share of missing values allowed.
    """

    name: str
    feature: str = ""
    not_null: bool = False
    min: float | None = None
    max: float | None = None
    max_missing: float | None = None

    def __str__(self) -> str:
        """Return the demand in the words of a plan."""
        limits = {"min": self.min, "max": self.max, "max_missing": self.max_missing}
        said = [f"{key} {value:g}" for key, value in limits.items() if value is not None]
        return " ".join([self.feature or "every feature", *(["not_null"] if self.not_null else []), *said])


def parse_value_test(item: Any) -> ValueTest:
    """Read one test of a view.

    Parameters
    ----------
    item : mapping
        feature, not_null, min, max, max_missing, name.

    Returns
    -------
    ValueTest

    Raises
    ------
    DefinitionError
        If it demands nothing, or has another form.
    """
    if not isinstance(item, Mapping) or item.keys() - KEYS:
        raise DefinitionError(f"{FORM}; got {bounded(item)}")
    limits = {key: _number(item, key) for key in ("min", "max", "max_missing")}
    not_null, feature = item.get("not_null") or False, str(item.get("feature") or "")
    of_one = not_null or limits["min"] is not None or limits["max"] is not None
    share = limits["max_missing"]
    if (
        not isinstance(not_null, bool)
        or not (of_one or share is not None)
        or (of_one and not feature)
        or (share is not None and not 0 <= share <= 1)
    ):
        raise DefinitionError(f"{FORM}; got {bounded(dict(item))}")
    test = ValueTest(name=str(item.get("name") or ""), feature=feature, not_null=not_null, **limits)
    return test if test.name else replace(test, name=str(test))


def _number(item: Mapping[str, Any], key: str) -> float | None:
    value = item.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise DefinitionError(f"{key} of a test is a number; got {bounded(repr(value))}")
    return float(value)
