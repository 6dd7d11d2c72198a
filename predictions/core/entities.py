"""From the newest values of entities to the rows a model takes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from features.ground.errors import bounded
from predictions.errors import EntitiesNotServedError


@dataclass(frozen=True, kw_only=True, slots=True)
class ServedView:
    """A feature view a model was trained on.

    Parameters
    ----------
    spec : str
        The view as NAME@N.
    entity : tuple of str
        Columns whose values make its key.
    features : tuple of str
        Names of its values, which are columns of the model.
    """

    spec: str
    entity: tuple[str, ...]
    features: tuple[str, ...]


def check_served(model: str, columns: Sequence[Mapping[str, Any]], views: Sequence[ServedView]) -> None:
    """Refuse a model whose columns can't be looked up by one key.

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
        If it has no views, views of several entities, or needs a column no view gives.
    """
    if not views:
        raise EntitiesNotServedError(f"{model} was trained on no feature view: send data or records", model=model)
    if len({view.entity for view in views}) > 1:
        names = "; ".join(", ".join(view.entity) for view in views)
        raise EntitiesNotServedError(
            f"{model} looks up several entities ({bounded(names, 200)}), "
            "which no single key names: send data or records",
            model=model,
        )
    given = {*views[0].entity, *(name for view in views for name in view.features)}
    if lacking := [str(c["name"]) for c in columns if c["name"] not in given and not c.get("nullable", False)]:
        raise EntitiesNotServedError(
            f"{model} needs {bounded(', '.join(lacking), 300)}, which no feature view gives: send data or records",
            model=model,
            columns=lacking[:20],
        )


def entity_rows(
    columns: Sequence[Mapping[str, Any]],
    views: Sequence[ServedView],
    keys: Sequence[str],
    values: Sequence[Sequence[Mapping[str, Any]]],
) -> list[list[Any]]:
    """Return one row per entity in the model's column order; what is not known is None.

    Parameters
    ----------
    columns : sequence of mapping
        The model's input columns.
    views : sequence of ServedView
        The views the values come from, all of one entity.
    keys : sequence of str
        Entity keys.
    values : sequence of sequence of mapping
        Per view, per key: values by feature name; empty where there are none.

    Returns
    -------
    list of list
        One row per key.
    """
    entity = views[0].entity
    rows = []
    for place, key in enumerate(keys):
        known: dict[str, Any] = {entity[0]: key} if len(entity) == 1 else {}
        for found in values:
            known |= found[place]
        rows.append([known.get(str(column["name"])) for column in columns])
    return rows
