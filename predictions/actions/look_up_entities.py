"""Features of entities, from the online store."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from features.adapters.online import read_view
from predictions.adapters.loading import LoadedVersion
from predictions.core.entities import check_served, entity_rows
from predictions.core.inputs import Columns


@dataclass(frozen=True, kw_only=True, slots=True)
class LookedUp:
    """One row per key, and the online snapshot each view's values come from."""

    frame: Columns
    snapshots: Mapping[str, int]


def look_up_entities(loaded: LoadedVersion, keys: Sequence[str]) -> LookedUp:
    """Return the newest features of entities as columns of a model.

    Parameters
    ----------
    loaded : LoadedVersion
        The version that answers.
    keys : sequence of str
        Entity keys, as the model's feature views name them.

    Returns
    -------
    LookedUp
        One row per key; what is missing or expired follows the model's policy for missing values.

    Raises
    ------
    EntitiesNotServedError
        If one key can't name all the model needs.
    NotMaterializedError
        If a view has no online values yet.
    InvalidRequestError
        If a value is missing that the model can't do without.
    """
    name = f"{loaded.model}@{loaded.number}"
    check_served(name, loaded.plan.columns, loaded.views)
    # The limit on rows comes before the look-up, which costs more than the check.
    loaded.plan.check_count(len(keys))
    found = {view.spec: read_view(view.spec, keys) for view in loaded.views}
    values = [[row.values for row in rows] for _, rows in found.values()]
    return LookedUp(
        frame=loaded.plan.from_rows(entity_rows(loaded.plan.columns, loaded.views, keys, values)),
        snapshots={spec: layout.snapshot for spec, (layout, _) in found.items()},
    )
