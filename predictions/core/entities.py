"""From the newest values of entities to the rows a model takes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from features.core.entity_keys import asked_key
from features.core.schema import Column
from features.errors import BadEntityError
from features.ground.errors import bounded
from predictions.errors import EntitiesNotServedError


@dataclass(frozen=True, kw_only=True, slots=True)
class ServedView:
    """A feature view a model was trained on.

    Parameters
    ----------
    spec : str
        The view as NAME@N.
    entity : tuple of Column
        Columns whose values make its key, in the view's order.
    features : tuple of str
        Names of its values, which are columns of the model.
    """

    spec: str
    entity: tuple[Column, ...]
    features: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class AskedEntity:
    """What one item of a request names.

    Parameters
    ----------
    key : str
        The key that is logged: of all entity columns the model's views have.
    values : mapping
        Values of entity columns by name, as far as they are told apart.
    keys : tuple of str
        The key in each view.
    """

    key: str
    values: Mapping[str, Any]
    keys: tuple[str, ...]


def check_served(model: str, columns: Sequence[Mapping[str, Any]], views: Sequence[ServedView]) -> None:
    """Refuse a model whose columns can't be looked up by entity.

    Parameters
    ----------
    model : str
        Who would answer, for the message.
    columns : sequence of mapping
        The model's input columns: name, nullable.
    views : sequence of ServedView
        The views it was trained on.

    Raises
    ------
    EntitiesNotServedError
        If it has no views, or needs a column no view gives.
    """
    if not views:
        raise EntitiesNotServedError(f"{model} was trained on no feature view: send data or records", model=model)
    given = {*entity_columns(views), *(name for view in views for name in view.features)}
    if lacking := [str(c["name"]) for c in columns if c["name"] not in given and not c.get("nullable", False)]:
        raise EntitiesNotServedError(
            f"{model} needs {bounded(', '.join(lacking), 300)}, which no feature view gives: send data or records",
            model=model,
            columns=lacking[:20],
        )


def entity_columns(views: Sequence[ServedView]) -> dict[str, Column]:
    """Return what names an entity of a model.

    Parameters
    ----------
    views : sequence of ServedView
        The views it was trained on.

    Returns
    -------
    dict of str to Column
        Every view's entity columns by name, each once, in the order they come.
    """
    return {column.name: column for view in views for column in view.entity}


def asked_entity(item: object, views: Sequence[ServedView]) -> AskedEntity:
    """Return the entity a caller means.

    Parameters
    ----------
    item : object
        A key, where all views have the same entity; or a mapping that gives each entity column's value.
    views : sequence of ServedView
        The views the model was trained on; one at least.

    Returns
    -------
    AskedEntity

    Raises
    ------
    BadEntityError
        If it is neither, names other columns, or could be the key of nothing.
    """
    columns = entity_columns(views)
    if isinstance(item, str) and len({tuple(c.name for c in view.entity) for view in views}) > 1:
        wanted, got = ", ".join(columns), bounded(repr(item), 60)
        raise BadEntityError(f"this model looks up several entities: send an object with {wanted}; got the key {got}")
    key = asked_key(item, tuple(columns.values()))
    if isinstance(item, Mapping):
        own = ({column.name: item[column.name] for column in view.entity} for view in views)
        keys = tuple(asked_key(named, view.entity) for named, view in zip(own, views, strict=True))
        return AskedEntity(key=key, values=item, keys=keys)
    return AskedEntity(
        key=key, values=dict.fromkeys(columns, key) if len(columns) == 1 else {}, keys=(key,) * len(views)
    )


def entity_rows(
    columns: Sequence[Mapping[str, Any]],
    entities: Sequence[AskedEntity],
    values: Sequence[Sequence[Mapping[str, Any]]],
) -> list[list[Any]]:
    """Return one row per entity in the model's column order; what is not known is None.

    Parameters
    ----------
    columns : sequence of mapping
        The model's input columns.
    entities : sequence of AskedEntity
        Who is asked about.
    values : sequence of sequence of mapping
        Per view, per entity: values by feature name; empty where there are none.

    Returns
    -------
    list of list
        One row per entity.
    """
    rows = []
    for place, entity in enumerate(entities):
        known = dict(entity.values)
        for found in values:
            known |= found[place]
        rows.append([known.get(str(column["name"])) for column in columns])
    return rows
