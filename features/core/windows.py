"""The definition of a feature view: entities, features and tests, checked before anything is stored."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from features.core.aggregations import Aggregation, check_aggregation, parse_aggregation, seconds
from features.core.derived import Derived, check_inputs, parse_derived
from features.core.schema import Dtype
from features.core.value_tests import ValueTest, parse_value_test
from features.errors import DefinitionError
from features.ground.canonical import digest
from features.ground.errors import bounded

NAME = re.compile(r"[A-Za-z0-9_-]{1,100}")
NEEDED = {"name", "dataset", "entity", "features"}
KEYS = NEEDED | {"ttl", "derived", "tests", "description", "owner"}


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
        At least one.
    derived : tuple of Derived
        Features made of those; each may use the ones before it.
    tests : tuple of ValueTest
        What the values must meet each time they are made.
    description, owner : str
        For people.
    """

    name: str
    dataset: str
    entity: tuple[str, ...]
    ttl_seconds: int | None = None
    features: tuple[Aggregation, ...]
    derived: tuple[Derived, ...] = ()
    tests: tuple[ValueTest, ...] = ()
    description: str = ""
    owner: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of all features, the derived ones last."""
        return (*(feature.name for feature in self.features), *(one.name for one in self.derived))

    @property
    def digest(self) -> str:
        """Return the sha256 of all that changes or checks a value; who owns it does not."""
        body = self.as_dict()
        keys = ["name", "dataset", "entity", "ttl_seconds", "features"]
        return digest({key: body[key] for key in [*keys, *(key for key in ("derived", "tests") if body[key])]})

    def as_dict(self) -> dict[str, Any]:
        """Return the definition as plain values, the time to live in seconds."""
        return asdict(self)


def parse_view(item: Mapping[str, Any] | ViewDefinition) -> ViewDefinition:
    """Read a feature view's definition.

    Parameters
    ----------
    item : mapping or ViewDefinition
        name, dataset, entity (a name or a list), features (list of name, column, function, window, condition), ttl,
        derived (list of name and expression), tests, description, owner.

    Returns
    -------
    ViewDefinition

    Raises
    ------
    DefinitionError
        If a key is missing or unknown, or a value has another form.
    """
    if isinstance(item, ViewDefinition):
        item = _declared(item)
    if not isinstance(item, Mapping) or not item.keys() >= NEEDED or item.keys() - KEYS:
        got = sorted(map(str, item)) if isinstance(item, Mapping) else type(item).__name__
        may = ", ".join(sorted(KEYS - NEEDED))
        raise DefinitionError(f"a view needs name, dataset, entity, features and may have {may}; got {bounded(got)}")
    if not NAME.fullmatch(str(item["name"])):
        raise DefinitionError(f"a view's name is letters, digits, _ and -; got {bounded(repr(item['name']))}")
    entity = (item["entity"],) if isinstance(item["entity"], str) else item["entity"]
    if not isinstance(entity, list | tuple) or not all(isinstance(name, str) for name in entity):
        raise DefinitionError(f"a view's entity is a column's name or a list of them; got {bounded(entity)}")
    view = ViewDefinition(
        name=str(item["name"]),
        dataset=str(item["dataset"]),
        entity=tuple(entity),
        ttl_seconds=seconds(item["ttl"]) if item.get("ttl") else None,
        features=tuple(parse_aggregation(feature) for feature in _listed(item, "features")),
        derived=tuple(parse_derived(one) for one in _listed(item, "derived")),
        tests=tuple(parse_value_test(test) for test in _listed(item, "tests")),
        description=str(item.get("description") or ""),
        owner=str(item.get("owner") or ""),
    )
    _check_names(view)
    return view


def _declared(view: ViewDefinition) -> dict[str, Any]:
    """Return a definition made in Python as the mapping a file would hold, so that both meet the same checks."""
    body = view.as_dict()
    length = body.pop("ttl_seconds")
    return body | ({"ttl": f"{length}s"} if length is not None else {})


def _listed(item: Mapping[str, Any], key: str) -> Sequence[Any]:
    value = item[key] if key in NEEDED else item.get(key) or ()
    if not isinstance(value, list | tuple):
        raise DefinitionError(f"a view's {key} are a list; got {bounded(value)}")
    return value


def _check_names(view: ViewDefinition) -> None:
    names = list(view.names)
    repeated = sorted({name for name in names if names.count(name) > 1 or name in view.entity})
    if not view.entity or not view.features or repeated:
        got = f"entity {list(view.entity)}, {len(view.features)} features, repeated names {repeated}"
        raise DefinitionError(
            f"view {view.name!r} needs an entity column and features with names of their own; got {bounded(got)}"
        )
    unknown = sorted({test.feature for test in view.tests if test.feature} - set(names))
    tests = [test.name for test in view.tests]
    if unknown or len(set(tests)) < len(tests):
        got = f"of unknown features {unknown}" if unknown else f"{tests}"
        raise DefinitionError(f"view {view.name!r} has tests of its features, each once; got {bounded(got)}")


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
        If a column is missing or of another type than the function takes, or a test asks for numbers of a text.
    """
    used = [*view.entity, *(f.column for f in view.features if f.column)]
    missing = sorted(set(used) - dtypes.keys())
    if missing:
        raise DefinitionError(f"dataset {view.dataset!r} has no columns {bounded(missing)}", columns=missing)
    for feature in view.features:
        check_aggregation(feature, dtypes.get(feature.column, "integer"))
    check_inputs(view.derived, {feature.name: result_dtype(feature, dtypes) for feature in view.features})
    made = value_dtypes(view, dtypes)
    for test in view.tests:
        if (test.min is not None or test.max is not None) and made[test.feature] == "string":
            raise DefinitionError(f"test {test.name!r}: {test.feature!r} is text and has no min or max")


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
    if feature.function in ("count", "nunique"):
        return "integer"
    return dtypes[feature.column] if feature.function == "last" else "number"


def value_dtypes(view: ViewDefinition, dtypes: Mapping[str, Dtype]) -> dict[str, Dtype]:
    """Return the dtype of each of a view's features, the derived ones last.

    Parameters
    ----------
    view : ViewDefinition
        What is computed.
    dtypes : mapping of str to str
        Dtype of each column of the dataset.

    Returns
    -------
    dict of str to str
    """
    made = {feature.name: result_dtype(feature, dtypes) for feature in view.features}
    return made | {one.name: one.dtype for one in view.derived}
