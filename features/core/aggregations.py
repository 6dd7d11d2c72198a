"""One feature of a view: a function of a column over a window before the asking time."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from features.core.schema import Dtype
from features.errors import DefinitionError
from features.ground.errors import bounded

Function = Literal["count", "sum", "mean", "share", "std", "min", "max", "last", "nunique"]
FUNCTIONS: tuple[Function, ...] = get_args(Function)
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
LONGEST_S = 3660 * 86_400
DURATION = re.compile(r"([1-9][0-9]{0,8})([smhdw])")
CONDITION = re.compile(r"\s*(>=|<=|==|!=|>|<)\s*(\S.*?)\s*")
ANY_VALUE: tuple[Dtype, ...] = ("integer", "number", "boolean", "string")


@dataclass(frozen=True, kw_only=True, slots=True)
class Aggregation:
    """One feature: a function of a column over a window before the asking time.

    Parameters
    ----------
    name : str
        The feature's name.
    column : str
        What is aggregated; empty for a count of rows.
    function : str
        count, sum, mean, share, std, min, max, last or nunique; missing values are left out.
    window : str
        Such as 1h, 7d; rows older than this don't count.
    condition : str
        For share: a comparison such as ">= 15"; empty where the column is boolean.
    """

    name: str
    column: str
    function: Function
    window: str
    condition: str = ""

    @property
    def window_us(self) -> int:
        """Return the window in microseconds."""
        return seconds(self.window) * 1_000_000

    def __str__(self) -> str:
        """Return the feature in the words of a plan."""
        of = f" of {self.column}" if self.column else ""
        return f"{self.function}{of}{f' {self.condition}' if self.condition else ''} over {self.window}"


def seconds(text: str) -> int:
    """Return a duration such as 90m or 30d in seconds.

    Parameters
    ----------
    text : str
        A number and a unit: s, m, h, d or w.

    Returns
    -------
    int
        Length in seconds.

    Raises
    ------
    DefinitionError
        If it has another form or is longer than ten years.
    """
    match = DURATION.fullmatch(str(text))
    length = int(match[1]) * UNITS[match[2]] if match else 0
    if not 0 < length <= LONGEST_S:
        raise DefinitionError(
            f"a duration is a number and one of s, m, h, d, w, up to 3660d; got {bounded(repr(text))}"
        )
    return length


def parse_aggregation(item: Mapping[str, Any]) -> Aggregation:
    """Read one feature of a view.

    Parameters
    ----------
    item : mapping
        name, function and window; column and condition where the function wants them.

    Returns
    -------
    Aggregation

    Raises
    ------
    DefinitionError
        If a key is missing or unknown, or a value has another form.
    """
    fields = Aggregation.__dataclass_fields__
    if (
        not isinstance(item, Mapping)
        or not {"name", "function", "window"} <= item.keys()
        or item.keys() - fields.keys()
    ):
        raise DefinitionError(f"a feature has name, column, function, window and condition; got {bounded(item)}")
    values: dict[str, Any] = {"column": "", **{key: str(value) for key, value in item.items()}}
    feature = Aggregation(**values)
    seconds(feature.window)
    check_name(feature.name)
    if feature.function not in FUNCTIONS:
        allowed = ", ".join(FUNCTIONS)
        raise DefinitionError(f"feature {feature.name!r} has function {feature.function!r}; allowed: {allowed}")
    if not feature.column and feature.function != "count":
        raise DefinitionError(f"feature {feature.name!r} needs a column; only count may be of rows")
    if feature.condition and (feature.function != "share" or not CONDITION.fullmatch(feature.condition)):
        raise DefinitionError(
            f"feature {feature.name!r} has condition {feature.condition!r}; allowed for share alone, as in '>= 15'"
        )
    return feature


def check_name(name: str) -> None:
    """Refuse a name no column should have.

    Parameters
    ----------
    name : str
        Of a feature.

    Raises
    ------
    DefinitionError
        If it is empty, too long or not printable.
    """
    if not name.isprintable() or not name.strip() or len(name) > 200:
        raise DefinitionError(f"a feature's name is 1 to 200 printable characters; got {bounded(repr(name))}")


def check_aggregation(feature: Aggregation, dtype: Dtype) -> None:
    """Refuse a function of a column it doesn't take.

    Parameters
    ----------
    feature : Aggregation
        What was declared.
    dtype : str
        The column's.

    Raises
    ------
    DefinitionError
        If the column is of another type than the function or its condition takes.
    """
    _check_condition(feature, dtype)
    if feature.function == "share" and not feature.condition:
        allowed: tuple[Dtype, ...] = ("boolean",)
    elif feature.function in ("count", "last", "nunique") or feature.condition:
        allowed = ANY_VALUE
    else:
        allowed = ("integer", "number", "boolean")
    if dtype not in allowed:
        text = f"feature {feature.name!r}: {feature.function} of {feature.column!r} takes {', '.join(allowed)}"
        raise DefinitionError(f"{text}; the column holds {dtype}")


def _check_condition(feature: Aggregation, dtype: Dtype) -> None:
    match = CONDITION.fullmatch(feature.condition)
    if match is None or dtype == "string":
        return
    try:
        usable = math.isfinite(float(match[2].strip("'\"")))
    except ValueError:
        usable = False
    if not usable:
        raise DefinitionError(
            f"feature {feature.name!r}: {feature.column!r} holds {dtype}, so its condition compares with a number; "
            f"got {bounded(feature.condition)!r}"
        )
