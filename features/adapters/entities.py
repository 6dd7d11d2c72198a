"""Online values as people and programs ask for them: entities by key or by column, some features or all."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.conf import settings

from features.adapters.online import OnlineRow, read_view
from features.core.entity_keys import asked_key
from features.core.schema import Column
from features.errors import BadEntityError, TooManyEntitiesError, UnknownFeatureError
from features.ground.errors import bounded
from features.models import FeatureView


@dataclass(frozen=True, kw_only=True, slots=True)
class EntitiesAnswer:
    """What a view serves for some entities, all of one snapshot.

    Parameters
    ----------
    view, version : str, int
        Who answers.
    as_of : datetime or None
        The moment the values are of.
    rows : list of dict
        Per entity: key, status, event_at, age_seconds, values by name, and features: value, age and status by name.
    """

    view: str
    version: int
    as_of: datetime | None
    rows: list[dict[str, Any]]


def read_entities(view: str, entities: Sequence[object], features: Sequence[str] | None = None) -> EntitiesAnswer:
    """Return the newest values of entities, in the order asked for.

    Parameters
    ----------
    view : str
        `NAME`, or `NAME@N`.
    entities : sequence of str or mapping
        Keys, or the entity columns' values by name.
    features : sequence of str, optional
        Which features; by default all.

    Raises
    ------
    UnknownFeatureViewError, UnknownFeatureError, NotMaterializedError
        If the view or a feature isn't known, or there are no values yet.
    BadEntityError, TooManyEntitiesError
        If an entity can't be one, or they are none or too many.
    OnlineStoreDownError
        If the store doesn't answer.
    """
    most: int = settings.CONFIG.security.max_rows
    if len(entities) > most:
        raise TooManyEntitiesError(f"at most {most} entities may be asked for at once; got {len(entities)}")
    if not entities:
        raise BadEntityError("name at least one entity; got none")
    columns = _entity_columns(view, named=any(not isinstance(entity, str) for entity in entities))
    layout, rows = read_view(view, [asked_key(entity, columns) for entity in entities])
    names = layout.names if features is None else tuple(dict.fromkeys(features))
    if unknown := [name for name in names if name not in layout.names]:
        text = f"view {layout.view!r} has no feature {bounded(unknown[0])!r}; it has {bounded(', '.join(layout.names))}"
        raise UnknownFeatureError(text, view=layout.view)
    return EntitiesAnswer(
        view=layout.view, version=layout.version, as_of=layout.as_of, rows=[_as_dict(row, names) for row in rows]
    )


def _entity_columns(view: str, *, named: bool) -> Sequence[Column]:
    """Return the view's entity columns, where an entity names them: a key needs no look-up."""
    if not named:
        return ()
    found = FeatureView.objects.resolve(view)
    columns = {column.name: column for column in found.dataset.columns()}
    return [columns[name] for name in found.entity_columns]


def _as_dict(row: OnlineRow, names: Sequence[str]) -> dict[str, Any]:
    features = row.features()
    body = {
        "key": row.key,
        "status": row.status,
        "event_at": row.event_at,
        "age_seconds": row.age_seconds,
        "values": {name: row.values[name] for name in names if name in row.values},
        "features": {name: asdict(features[name]) for name in names},
    }
    # NaN and infinities are no JSON: they become their names.
    exact = all(value == value and abs(value) != float("inf") for value in row.values.values() if type(value) is float)
    return (
        body
        if exact
        else body | json.loads(json.dumps({key: body[key] for key in ("values", "features")}), parse_constant=str)
    )
