"""Join to any file of labels what was known of their entities at each label's own time."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from features.adapters.engine import values_at
from features.adapters.label_files import label_parts, writing
from features.core.check_values import Facts, check_facts, value_facts
from features.core.coerce import coerce
from features.core.label_times import label_times
from features.core.schema import Dtype, check_names
from features.errors import LabelsError
from features.ground.errors import bounded
from features.ground.progress import Report, silent
from features.models import DatasetVersion, FeatureView

Source = tuple[FeatureView, DatasetVersion]
TIMESTAMP = "timestamp"
# What a text file writes for a key that isn't there, as `ingest` reads it.
NO_KEY = ("", "NA", "N/A", "#N/A", "NaN", "nan", "NULL", "null", "None")


@dataclass(frozen=True, kw_only=True, slots=True)
class HistoryResult:
    """The file that was written.

    Parameters
    ----------
    rows : int
        As many as there are labels.
    columns : list of str
        Those of the labels, then those of the views.
    out : str
        Where it is.
    """

    rows: int
    columns: list[str]
    out: str


def label_history(
    views: Sequence[str],
    *,
    labels: Path,
    out: Path,
    timestamp: str = "",
    timezone: str = "",
    report: Report = silent,
) -> HistoryResult:
    """Write a file of labels again, with the views' features as of each label's own time.

    Parameters
    ----------
    views : sequence of str
        One or more feature views, `NAME` or `NAME@N`; each is computed from its dataset's newest version.
    labels : Path
        CSV, Parquet or JSON Lines; holds the views' entity columns and a time. All its columns are kept, every label
        keeps its row and its place.
    out : Path
        Where to write, in the format its ending says; an old file is replaced in one step.
    timestamp : str, optional
        The labels' time column; by default named as in the first view's dataset, or `timestamp`.
    timezone : str, optional
        Zone of times that name none; by default the first view's dataset's. With neither such times are refused.
    report : Report
        Told how far it is.

    Returns
    -------
    HistoryResult

    Raises
    ------
    UnknownFeatureViewError, UnknownDatasetVersionError, FileMissingError, UnreadableFileError, EmptyFileError
        If a view isn't known or the labels can't be read.
    LabelsError, NaiveTimesError, SchemaError
        If a column that is needed isn't there, holds something else, or a name would come twice.
    FeatureTestFailedError
        If the values fail a test of their view; nothing is written.
    """
    sources = [_source(spec) for spec in dict.fromkeys(views)]
    if not sources:
        raise LabelsError("name at least one feature view")
    with writing(out) as write:
        rows, columns = _written(write, label_parts(labels), sources, (timestamp, timezone), report)
    report(100, "done")
    return HistoryResult(rows=rows, columns=columns, out=str(out))


def _written(
    write: Callable[[pa.Table], None],
    parts: Iterable[pa.Table],
    sources: Sequence[Source],
    times: tuple[str, str],
    report: Report,
) -> tuple[int, list[str]]:
    """Write the parts with the views' values; return how many rows, and the columns."""
    rows, columns = 0, list[str]()
    definitions = [view.definition() for view, _ in sources]
    facts: list[Facts] = [{} for _ in sources]
    for part in parts:
        report(0, f"computing labels from row {rows + 1:,}")
        joined = _joined(part, sources, *times, before=rows)
        write(joined)
        rows, columns = rows + part.num_rows, joined.column_names
        facts = [value_facts(view, joined, before) for view, before in zip(definitions, facts, strict=True)]
    # A share of missing values is one of all labels; the file has not taken its place yet.
    for view, found in zip(definitions, facts, strict=True):
        check_facts(view, found)
    return rows, columns


def _source(spec: str) -> Source:
    view = FeatureView.objects.resolve(spec)
    return view, DatasetVersion.objects.resolve(view.dataset.name)


def _time_column(part: pa.Table, asked: str, of_dataset: str) -> str:
    wanted = [asked] if asked else [of_dataset, TIMESTAMP]
    found = next((name for name in wanted if name in part.column_names), None)
    if found is None:
        listed = bounded(", ".join(part.column_names), 300)
        raise LabelsError(f"the labels have no time column {wanted[0]!r}; name one with --timestamp, of: {listed}")
    return found


def _joined(part: pa.Table, sources: Sequence[Source], timestamp: str, timezone: str, *, before: int) -> pa.Table:
    check_names(part.column_names)
    first = sources[0][0].dataset
    column = _time_column(part, timestamp, first.timestamp_column)
    at = label_times(part[column], column=column, zone=timezone or first.timezone, before=before)
    joined = part
    for view, version in sources:
        dtypes = version.dataset.dtypes()
        keys = {name: _key(part, name, dtypes[name], before) for name in view.entity_columns}
        values = values_at(view.definition(), version, pa.table(keys), at)
        check_names([*joined.column_names, *values.column_names])
        for name in values.column_names:
            joined = joined.append_column(name, values[name])
    return joined


def _key(part: pa.Table, name: str, dtype: Dtype, before: int) -> pa.ChunkedArray:
    """Return an entity column as its dataset holds it: the same key must be found whatever the file writes it as."""
    if name not in part.column_names:
        listed = bounded(", ".join(part.column_names), 300)
        raise LabelsError(f"the labels have no entity column {name!r}; there are: {listed}", column=name)
    values = part[name].combine_chunks()
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    typed, wrong = coerce(values, dtype)
    if wrong.any():
        missing = np.isin(np.array(values.cast(pa.string()).to_pylist(), dtype=object), NO_KEY)
        places = np.flatnonzero(wrong & ~missing)
        if len(places):
            row, got = before + int(places[0]) + 1, bounded(str(values[int(places[0])].as_py()), 60)
            raise LabelsError(f"row {row} of the labels has {name} {got!r}, which is no {dtype}", column=name)
    return pa.chunked_array([typed])
