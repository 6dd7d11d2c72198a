"""How a table is cut by event time, so that a question about a span reads little and an ingestion writes few files."""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

Span = Literal["day", "month", "year"]
PARTITION = "__date"
# Most parts one ingestion may begin with, and fewest rows a part is worth, of each span; the finest that fits is taken.
MAX_PARTS = 36
MIN_ROWS: dict[Span, int] = {"day": 100_000, "month": 10_000, "year": 0}
LENGTHS: dict[str, int] = {"day": 10, "month": 7, "year": 4}


def partition_span(first: datetime | None, last: datetime | None, rows: int, columns: Iterable[str]) -> Span | None:
    """Choose by which span of event time a new table is cut.

    Parameters
    ----------
    first, last : datetime or None
        Event times of the first rows; None where there is no timestamp.
    rows : int
        How many rows there are.
    columns : iterable of str
        Names of the dataset's columns; where one is taken that the parts would need, there are none.

    Returns
    -------
    str or None
        day, month or year; None for a table in one piece.
    """
    if first is None or last is None or PARTITION in columns:
        return None
    months = 12 * (last.year - first.year) + last.month - first.month + 1
    parts: dict[Span, int] = {"day": (last - first).days + 1, "month": months, "year": last.year - first.year + 1}
    fitting: list[Span] = [
        span for span, count in parts.items() if count <= MAX_PARTS and rows >= count * MIN_ROWS[span]
    ]
    return fitting[0] if fitting else None


def with_partition(batch: pa.RecordBatch, time_column: str, span: str) -> pa.RecordBatch:
    """Return rows with the name of the part each belongs to, such as 2013-01 for a month.

    Parameters
    ----------
    batch : RecordBatch
        Rows with their event times, in UTC and never missing.
    time_column : str
        The column that holds them.
    span : str
        day, month or year.

    Returns
    -------
    RecordBatch
        The rows, and `__date` as the last column.
    """
    return batch.append_column(pa.field(PARTITION, pa.string()), part_names(batch.column(time_column), span))


def part_names(times: pa.Array, span: str) -> pa.Array:
    """Return the name of the part each time belongs to.

    Parameters
    ----------
    times : Array
        Times in UTC.
    span : str
        day, month or year.

    Returns
    -------
    Array
        Texts: the beginning of the day's ISO 8601 form.
    """
    days = times.cast(pa.timestamp("us")).cast(pa.date32(), safe=False).dictionary_encode()
    names = [day.isoformat()[: LENGTHS[span]] for day in days.dictionary.to_pylist()]
    return pc.take(pa.array(names, pa.string()), days.indices)
