"""The files of a dataset version, and what is known of them without reading them."""

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads

from features.adapters.delta import open_version
from features.core.aggregations import Aggregation
from features.core.grid import Span
from features.core.measures import SUMMED
from features.core.windows import ViewDefinition
from features.models import DatasetVersion


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """The rows of a dataset version.

    Parameters
    ----------
    data : pyarrow.dataset.Dataset
        The rows, in Parquet files, to scan.
    rows : int
        How many there are.
    spans : dict of str to Span
        Of the columns that are summed.
    full : frozenset of str
        Columns of the view of which no value is missing.
    """

    data: pads.Dataset
    rows: int
    spans: dict[str, Span]
    full: frozenset[str]


def source_of(view: ViewDefinition, version: DatasetVersion) -> Source:
    """Return the files of a version and, from what its table keeps of each, the spans of the summed columns."""
    table, data = open_version(version.dataset.name, version.delta_version)
    kept = pa.table(table.get_add_actions(flatten=True))
    dtypes = version.dataset.dtypes()
    numbers = _summed(view.features)
    spans = {name: _span(kept, name, numeric=dtypes[name] in ("integer", "number")) for name in numbers}
    unknown = [name for name, span in spans.items() if span is None]
    read = _read_spans(data, unknown) if unknown else {}
    rows = pc.sum(kept["num_records"]).as_py() if "num_records" in kept.column_names else None
    return Source(
        data=data,
        rows=version.rows_total if rows is None else rows,
        spans={name: read[name] if span is None else span for name, span in spans.items()},
        full=frozenset(f.column for f in view.features if f.column and not _any_missing(kept, f.column)),
    )


def _summed(features: Sequence[Aggregation]) -> list[str]:
    return list(dict.fromkeys(f.column for f in features if f.column and f.function in SUMMED))


def _span(kept: pa.Table, name: str, *, numeric: bool) -> Span | None:
    """Return the span of a column, or None if a file doesn't say."""
    any_missing = _any_missing(kept, name)
    if not numeric:
        return Span(missing=any_missing)
    if not {f"null_count.{name}", f"min.{name}", f"max.{name}"} <= set(kept.column_names):
        return None
    filled = pc.less(kept[f"null_count.{name}"], kept["num_records"])
    low, high = (kept[f"{end}.{name}"].filter(filled).cast(pa.float64(), safe=False) for end in ("min", "max"))
    if low.null_count or high.null_count:
        return None
    if not len(low):
        return Span(low=0.0, high=0.0, missing=any_missing)
    return Span(low=pc.min(low).as_py(), high=pc.max(high).as_py(), missing=any_missing)


def _any_missing(kept: pa.Table, name: str) -> bool:
    """Return whether some file has a row without a value, or doesn't say."""
    if f"null_count.{name}" not in kept.column_names:
        return True
    missing = kept[f"null_count.{name}"]
    return bool(missing.null_count) or (pc.sum(missing).as_py() or 0) > 0


def _read_spans(data: pads.Dataset, names: Sequence[str]) -> dict[str, Span]:
    """Read the columns of which some file keeps no span: of tables with very many columns, and made elsewhere."""
    ends: dict[str, list[float]] = {name: [0.0, 0.0] for name in names}
    first = dict.fromkeys(names, True)
    for batch in data.to_batches(columns=list(names)):
        for name in names:
            found = pc.min_max(batch[name].cast(pa.float64(), safe=False)).as_py()
            if found["min"] is None:
                continue
            low, high = (found["min"], found["max"]) if first[name] else ends[name]
            ends[name] = [min(low, found["min"]), max(high, found["max"])]
            first[name] = False
    return {name: Span(low=low, high=high) for name, (low, high) in ends.items()}
