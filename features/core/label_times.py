"""When labels were asked for: times as people write them, which must say what zone they are of."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.core.coerce import is_text
from features.core.times import AMBIGUOUS, NO_ZONE, NONEXISTENT, check_zone, instants, is_time, time_rules
from features.errors import LabelsError, NaiveTimesError
from features.ground.errors import bounded

WHY = {
    NO_ZONE: "which names no zone; write 2013-01-01T10:00:00Z, or give the zone with --timezone",
    AMBIGUOUS: "which clocks in {zone} showed twice; give such times with their offset from UTC",
    NONEXISTENT: "which clocks in {zone} never showed; give such times with their offset from UTC",
}


def label_times(values: pa.ChunkedArray, *, column: str, zone: str, before: int) -> pa.ChunkedArray:
    """Return the labels' times in UTC.

    Parameters
    ----------
    values : pyarrow.ChunkedArray of length n
        ISO 8601 texts, times or dates; a date is the first moment of its day.
    column : str
        The column's name, for messages.
    zone : str
        IANA zone of times that name none, such as Europe/Berlin; empty: such times are refused.
    before : int
        Rows before these, for messages.

    Returns
    -------
    pyarrow.ChunkedArray of length n
        Times in microseconds, UTC.

    Raises
    ------
    LabelsError, SchemaError
        If a value is missing or no time, or there is no such zone.
    NaiveTimesError
        If a time names no zone and none was given, or the clock showed it twice or never.
    """
    whole = values.combine_chunks()
    if not is_text(whole.type) and not is_time(whole.type):
        raise LabelsError(f"column {column!r} is to hold the labels' times; it holds {whole.type}", column=column)
    whole = whole.cast(pa.string()) if is_text(whole.type) else whole
    found = instants(whole, check_zone(zone))
    places = np.flatnonzero(pc.is_null(found).to_numpy(zero_copy_only=False))
    if len(places):
        _refuse(whole[int(places[0])], column, zone, row=before + int(places[0]) + 1)
    return pa.chunked_array([found])


def _refuse(value: pa.Scalar, column: str, zone: str, *, row: int) -> None:
    if not value.is_valid:
        raise LabelsError(f"row {row} of the labels has no {column}; a label needs its time", column=column)
    rule = time_rules(pa.array([value.as_py()], value.type), zone)[0]
    got = f"row {row} of the labels has {column} {bounded(repr(str(value.as_py())), 60)}"
    if rule in WHY:
        raise NaiveTimesError(f"{got}, {WHY[rule].format(zone=zone)}", column=column)
    raise LabelsError(f"{got}, which is no ISO 8601 time of a year from 1 to 9998", column=column)
