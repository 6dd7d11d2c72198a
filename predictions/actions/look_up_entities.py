"""Features of entities, from the online store."""

from collections.abc import Sequence

from features.adapters.online import read_online
from features.errors import BadEntityError
from predictions.adapters.loading import LoadedVersion
from predictions.core.entities import AskedEntity, asked_entity, check_served, entity_rows
from predictions.core.inputs import Columns


def look_up_entities(loaded: LoadedVersion, items: Sequence[object]) -> tuple[Columns, tuple[str, ...]]:
    """Return the newest features of entities as columns of a model, and the keys they were found by.

    Parameters
    ----------
    loaded : LoadedVersion
        The version that answers.
    items : sequence of str or mapping
        Keys as the model's feature views have them, or the entity columns' values by name.

    Returns
    -------
    Columns
        One row per entity; what is missing or expired follows the model's policy for missing values.
    tuple of str
        Each entity's key.

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
    values = [
        [row.values for row in read_online(view.spec, [entity.keys[place] for entity in entities])]
        for place, view in enumerate(loaded.views)
    ]
    rows = entity_rows(loaded.plan.columns, entities, values)
    return loaded.plan.from_rows(rows), tuple(entity.key for entity in entities)


def _asked(row: int, item: object, loaded: LoadedVersion) -> AskedEntity:
    try:
        return asked_entity(item, loaded.views)
    except BadEntityError as error:
        raise BadEntityError(f"row {row} of entities: {error.message}", row=row) from None
