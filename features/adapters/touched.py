"""Which entities new rows or the passing of time can have changed, found without computing a value."""

from datetime import UTC, datetime, timedelta
from functools import reduce

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from features.adapters.delta import TICK as LOG_TICK
from features.adapters.delta import open_version, parquet, table_files, table_place
from features.core.schema import ARROW_TYPES
from features.core.windows import ViewDefinition
from features.errors import StorageUnavailableError
from features.models import Dataset, DatasetVersion

EPOCH = datetime.fromtimestamp(0, UTC)
TICK = timedelta(microseconds=1)
# Rows held before they are reduced to their entities.
HELD_ROWS = 1 << 20


def newest_moment(view: ViewDefinition, version: DatasetVersion, now: datetime) -> datetime:
    """Return the moment from which all a version's rows count, or now, whichever is earlier."""
    since = _begin_of_newest(version)
    newest = _newest(view, version, since)
    if since is not None and (newest is None or newest <= micros(since)):
        # The file that has the newest row has none with a key: another's may be newer than what was read.
        newest = _newest(view, version, None)
    # Compared as numbers: the moment after the last of the year 9999 is no date.
    return now if newest is None or newest >= micros(now) else EPOCH + timedelta(microseconds=newest)


def _begin_of_newest(version: DatasetVersion) -> datetime | None:
    """Return a time that a row of some file is not older than; None where rows count from when they are known."""
    event, known = _times(version.dataset)
    files = table_files(version.dataset.name, version.delta_version) if known == event else []
    ends = [file.last_event_at for file in files if file.last_event_at is not None]
    return max(ends) - LOG_TICK if ends and len(ends) == len(files) else None


def _newest(view: ViewDefinition, version: DatasetVersion, since: datetime | None) -> int | None:
    """Return the moment, in microseconds, from which all rows of the files since a time count."""
    event, known = _times(version.dataset)
    newest: int | None = None
    _, rows = open_version(version.dataset.name, version.delta_version, since=since)
    for batch in rows.to_batches(columns=list(dict.fromkeys((event, known))), filter=_complete(view, version.dataset)):
        if batch.num_rows:
            # A row counts from the moment after it happened, and from the moment it is known.
            last = max(pc.max(batch[event].cast(pa.int64())).as_py() + 1, pc.max(batch[known].cast(pa.int64())).as_py())
            newest = last if newest is None else max(newest, last)
    return newest


def touched_by_rows(view: ViewDefinition, version: DatasetVersion, since: int) -> pa.Table | None:
    """Return the entities of rows that came after a version of the Delta table; None if that can't be told.

    Found by the table's files, in the order of its commits: how late a row is does not matter. Files that were written
    anew without a new row only name more entities than needed.
    """
    dataset = version.dataset
    where = table_place(dataset.name)
    try:
        before = _files(where.table(since))
    except (DeltaError, StorageUnavailableError):
        return None
    table = where.table(version.delta_version)
    added = sorted(_files(table) - before)
    return _entities(view, dataset, parquet(where, table, added) if added else None, _complete(view, dataset))


def touched_by_time(view: ViewDefinition, version: DatasetVersion, first: datetime, last: datetime) -> pa.Table:
    """Return the entities with a row that begins or ceases to count between two moments, whichever is earlier."""
    low, high = sorted((micros(first), micros(last)))
    event, known = (pads.field(name) for name in _times(version.dataset))
    windows = sorted({feature.window_us for feature in view.features})
    changes = [(known > _time(low)) & (known <= _time(high)), (event >= _time(low)) & (event < _time(high))]
    changes += [(event >= _time(low - window)) & (event < _time(high - window)) for window in windows]
    # What becomes known later still counts at neither moment.
    wanted = _complete(view, version.dataset) & (known <= _time(high)) & reduce(lambda one, other: one | other, changes)
    _, rows = open_version(version.dataset.name, version.delta_version)
    return _entities(view, version.dataset, rows, wanted)


def micros(moment: datetime) -> int:
    """Return a time in microseconds since 1970."""
    return (moment - EPOCH) // TICK


def _time(micros_since_1970: int) -> pa.Scalar:
    return pa.scalar(micros_since_1970, pa.int64()).cast(ARROW_TYPES["timestamp"])


def _times(dataset: Dataset) -> tuple[str, str]:
    return dataset.timestamp_column, dataset.known_at_column or dataset.timestamp_column


def _complete(view: ViewDefinition, dataset: Dataset) -> pads.Expression:
    """Return what leaves out rows without a key or a time, which count for nobody."""
    fields = [pads.field(name).is_valid() for name in dict.fromkeys([*view.entity, *_times(dataset)])]
    return reduce(lambda one, other: one & other, fields)


def _files(table: DeltaTable) -> set[str]:
    return set(pa.table(table.get_add_actions(flatten=True))["path"].to_pylist())


def _entities(view: ViewDefinition, dataset: Dataset, rows: pads.Dataset | None, wanted: pads.Expression) -> pa.Table:
    names, dtypes = list(view.entity), dataset.dtypes()
    schema = pa.schema([(name, ARROW_TYPES[dtypes[name]]) for name in names])
    found = [schema.empty_table()]
    if rows is not None:
        # Batch by batch, so that as much is held as there are entities, not as there are rows.
        for batch in rows.to_batches(columns=names, filter=wanted):
            found.append(pa.table(batch).cast(schema))
            if sum(part.num_rows for part in found[1:]) > HELD_ROWS:
                found = [pa.concat_tables(found).group_by(names).aggregate([])]
    return pa.concat_tables(found).group_by(names).aggregate([])
