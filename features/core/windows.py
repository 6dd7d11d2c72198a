"""The definition of a feature view: entities, windows and functions, checked before anything is stored."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from features.core.schema import Dtype
from features.errors import DefinitionError
from features.ground.canonical import digest
from features.ground.errors import bounded

Function = Literal["count", "sum", "mean", "share", "std", "min", "max", "last"]
FUNCTIONS: tuple[Function, ...] = get_args(Function)
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
LONGEST_S = 3660 * 86_400
DURATION = re.compile(r"([1-9][0-9]{0,8})([smhdw])")
CONDITION = re.compile(r"\s*(>=|<=|==|!=|>|<)\s*(\S.*?)\s*")
NAME = re.compile(r"[A-Za-z0-9_-]{1,100}")
KEYS = {"name", "dataset", "entity", "ttl", "features", "description", "owner"}


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
        count, sum, mean, share, std, min, max or last; missing values are left out.
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


@dataclass(frozen=True, kw_only=True, slots=True)
class ViewDefinition:
    """A feature view as declared.

    Parameters
    ----------
    name, dataset : str
        The view, and the dataset whose rows it aggregates.
    entity : tuple of str
        Columns that name the entity, in both the dataset and the labels.
    ttl_seconds : int or None
        Age at which an online value is expired.
    features : tuple of Aggregation
        At least one; names are unique.
    """

    name: str
    dataset: str
    entity: tuple[str, ...]
    ttl_seconds: int | None
    features: tuple[Aggregation, ...]
    description: str = ""
    owner: str = ""

    @property
    def digest(self) -> str:
        """Return the sha256 of all that changes a value; who owns it does not."""
        body = asdict(self)
        return digest({key: body[key] for key in ("name", "dataset", "entity", "ttl_seconds", "features")})


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


def parse_view(item: Mapping[str, Any]) -> ViewDefinition:
    """Read a feature view's definition.

    Parameters
    ----------
    item : mapping
        name, dataset, entity (a name or a list), features (list of name, column, function, window, condition), ttl.

    Returns
    -------
    ViewDefinition

    Raises
    ------
    DefinitionError
        If a key is missing or unknown, or a value has another form.
    """
    needed = {"name", "dataset", "entity", "features"}
    if not isinstance(item, Mapping) or not needed <= item.keys() or item.keys() - KEYS:
        got = sorted(map(str, item)) if isinstance(item, Mapping) else type(item).__name__
        raise DefinitionError(f"a view needs name, dataset, entity, features and may have ttl; got {bounded(got)}")
    if not NAME.fullmatch(str(item["name"])):
        raise DefinitionError(f"a view's name is letters, digits, _ and -; got {bounded(repr(item['name']))}")
    entity = (item["entity"],) if isinstance(item["entity"], str) else item["entity"]
    if not isinstance(entity, list | tuple) or not all(isinstance(name, str) for name in entity):
        raise DefinitionError(f"a view's entity is a column's name or a list of them; got {bounded(entity)}")
    if not isinstance(item["features"], list | tuple):
        raise DefinitionError(f"a view's features are a list; got {bounded(item['features'])}")
    entity, features = tuple(entity), tuple(_aggregation(feature) for feature in item["features"])
    _check_unique(item["name"], entity, features)
    return ViewDefinition(
        name=str(item["name"]),
        dataset=str(item["dataset"]),
        entity=entity,
        ttl_seconds=seconds(item["ttl"]) if item.get("ttl") else None,
        features=features,
        description=str(item.get("description", "")),
        owner=str(item.get("owner", "")),
    )


def _check_unique(view: str, entity: Sequence[str], features: Sequence[Aggregation]) -> None:
    names = [feature.name for feature in features]
    repeated = sorted({name for name in names if names.count(name) > 1 or name in entity})
    if not entity or not names or repeated:
        got = f"entity {list(entity)}, {len(names)} features, repeated names {repeated}"
        raise DefinitionError(
            f"view {view!r} needs an entity column and features with names of their own; got {bounded(got)}"
        )


def _aggregation(item: Mapping[str, Any]) -> Aggregation:
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
    if not feature.name.isprintable() or not feature.name.strip() or len(feature.name) > 200:
        raise DefinitionError(f"a feature's name is 1 to 200 printable characters; got {bounded(repr(feature.name))}")
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


def check_columns(view: ViewDefinition, dtypes: Mapping[str, Dtype]) -> None:
    """Refuse a view whose columns are not in its dataset or can't be aggregated so.

    Parameters
    ----------
    view : ViewDefinition
        What was declared.
    dtypes : mapping of name to dtype
        The dataset's columns.

    Raises
    ------
    DefinitionError
        If a column is missing or of another type than the function takes.
    """
    used = [*view.entity, *(f.column for f in view.features if f.column)]
    missing = sorted(set(used) - dtypes.keys())
    if missing:
        raise DefinitionError(f"dataset {view.dataset!r} has no columns {bounded(missing)}", columns=missing)
    for feature in view.features:
        dtype = dtypes.get(feature.column, "integer")
        _check_condition(feature, dtype)
        if feature.function == "share" and not feature.condition:
            allowed: tuple[str, ...] = ("boolean",)
        elif feature.function in ("count", "last") or feature.condition:
            allowed = ("integer", "number", "boolean", "string")
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


def result_dtype(feature: Aggregation, dtypes: Mapping[str, Dtype]) -> Dtype:
    """Return the dtype of a feature's values, given those of the dataset's columns.

    Parameters
    ----------
    feature : Aggregation
        What is computed.
    dtypes : mapping of str to str
        Dtype of each column of the dataset.

    Returns
    -------
    str
        Dtype of the computed values.
    """
    if feature.function == "count":
        return "integer"
    return dtypes[feature.column] if feature.function == "last" else "number"
