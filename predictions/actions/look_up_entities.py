"""Features of entities, from the online store."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from features.adapters.online import read_view
from features.errors import BadEntityError
from predictions.adapters.loading import LoadedVersion
from predictions.core.entities import AskedEntity, asked_entity, check_served, entity_rows
from predictions.core.inputs import Columns


@dataclass(frozen=True, kw_only=True, slots=True)
class LookedUp:
    """One row per entity, its keys, and the online snapshot each view's values come from."""

    frame: Columns
    keys: tuple[str, ...]
    snapshots: Mapping[str, int]


def look_up_entities(loaded: LoadedVersion, items: Sequence[object]) -> LookedUp:
    """Return the newest features of entities as columns of a model.

    Parameters
    ----------
    loaded : LoadedVersion
        The version that answers.
    items : sequence of str or mapping
        Keys as the model's feature views have them, or the entity columns' values by name.

    Returns
    -------
    LookedUp
        One row per entity; what is missing or expired follows the model's policy for missing values.

    Raises
    ------
    EntitiesNotServedError
        If the model needs what no view of it gives.
    BadEntityError
        If an item can't name one of its entities.
    NotMaterializedError
        If a view has no online values yet.
    InvalidRequestError
        If a value is missing that the model can't do without.
    """
    check_served(f"{loaded.model}@{loaded.number}", loaded.plan.columns, loaded.views)
    # The limit on rows comes before the look-up, which costs more than the check.
    loaded.plan.check_count(len(items))
    entities = [_asked(row, item, loaded) for row, item in enumerate(items)]
    found = [
        read_view(view.spec, [entity.keys[place] for entity in entities]) for place, view in enumerate(loaded.views)
    ]
    rows = entity_rows(loaded.plan.columns, entities, [[row.values for row in rows] for _, rows in found])
    return LookedUp(
        frame=loaded.plan.from_rows(rows),
        keys=tuple(entity.key for entity in entities),
        snapshots={view.spec: layout.snapshot for view, (layout, _) in zip(loaded.views, found, strict=True)},
    )


def _asked(row: int, item: object, loaded: LoadedVersion) -> AskedEntity:
    try:
        return asked_entity(item, loaded.views)
    except BadEntityError as error:
        raise BadEntityError(f"row {row} of entities: {error.message}", row=row) from None
