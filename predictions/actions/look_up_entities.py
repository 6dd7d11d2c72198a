"""Features of entities, from the online store."""

from collections.abc import Sequence

from predictions.adapters.loading import LoadedVersion
from predictions.core.inputs import Columns
from predictions.errors import EntitiesNotServedError


def look_up_entities(loaded: LoadedVersion, keys: Sequence[str]) -> Columns:
    """Return the newest features of entities as columns of a model.

    Parameters
    ----------
    loaded : LoadedVersion
        The version that answers.
    keys : sequence of str
        Entity keys.

    Raises
    ------
    EntitiesNotServedError
        If the model was not trained on feature views.
    """
    raise EntitiesNotServedError(
        f"{loaded.model}@{loaded.number} takes no entities: send data or records", model=loaded.model
    )
