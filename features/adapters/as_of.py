"""A view's features for every entity as of one moment."""

from datetime import datetime
from typing import Any

import narwhals.stable.v2 as nw
import pyarrow as pa

from features.adapters.engine import open_engine
from features.adapters.sources import source_of
from features.core.as_of import Question, finished, state_as_of, usable_rows
from features.core.measures import measures_of
from features.core.newest import with_newest
from features.core.point_in_time import EVENT, KNOWN
from features.core.windows import ViewDefinition
from features.models import DatasetVersion


def values_as_of(
    view: ViewDefinition, version: DatasetVersion, moment: datetime, *, entities: pa.Table | None = None
) -> pa.Table:
    """Return a view's features for all entities that had a row known by a moment.

    Parameters
    ----------
    view : ViewDefinition
        What to compute.
    version : DatasetVersion
        The rows to compute it from.
    moment : datetime
        Only what had happened before and was known by then counts.
    entities : pyarrow.Table, optional
        Only these: the entity columns of each.

    Returns
    -------
    pyarrow.Table
        Entity columns, features, and `__event`, each entity's newest event time, by key.
    """
    dataset = version.dataset
    dtypes = dataset.dtypes()
    source = source_of(view, version)
    measures = measures_of(view, dtypes, source.spans, source.rows)
    question = Question(view=view, moment=moment, measures=measures, dtypes=dtypes, full=source.full)
    used = list(dict.fromkeys(feature.column for feature in view.features if feature.column))
    times = {EVENT: dataset.timestamp_column}
    if dataset.known_at_column and dataset.known_at_column != dataset.timestamp_column:
        times[KNOWN] = dataset.known_at_column
    columns = list(dict.fromkeys([*view.entity, *used]))
    with open_engine() as engine:
        rows = engine.scan(source.data, list(dict.fromkeys([*columns, *times.values()])))
        rows = rows.select(*columns, *(nw.col(name).alias(kind) for kind, name in times.items()))
        if entities is not None:
            wanted = entities.select(view.entity).group_by(list(view.entity)).aggregate([])
            rows = rows.join(engine.frame(wanted), on=list(view.entity), how="semi")
        rows = usable_rows(question, rows)
        state: pa.Table = state_as_of(question, rows).collect("pyarrow").to_native()
        state = with_newest(question, state, rows, engine.frame)
    return finished(question, state)


def grid_of(view: ViewDefinition, version: DatasetVersion) -> dict[str, Any]:
    """Return the grids a view's values are summed on; where they differ, values of two versions must not be mixed."""
    source = source_of(view, version)
    measures = measures_of(view, version.dataset.dtypes(), source.spans, source.rows)
    return {name: measure.grid.as_dict() for name, measure in sorted(measures.items())}
