"""When labels were asked for: times as people write them, which must say what zone they are of."""

from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.core.coerce import ZONE, coerce, is_text
from features.core.schema import ARROW_TYPES
from features.errors import LabelsError, NaiveTimesError
from features.ground.errors import bounded

DATE = 10
NAIVE = pa.timestamp("us")


def label_times(values: pa.ChunkedArray, *, column: str, zone: str, before: int) -> pa.ChunkedArray:
    """Return the labels' times in UTC.

    Parameters
    ----------
    values : pyarrow.ChunkedArray of length n
        ISO 8601 texts, times or dates; a date is its midnight.
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
    LabelsError
        If a value is missing or no time.
    NaiveTimesError
        If a time names no zone and none was given, or the clock showed it twice or never.
    """
    whole = values.combine_chunks()
    _refuse(pc.is_null(whole), whole, column, before, "which is missing; a label needs its time")
    if is_text(whole.type):
        return pa.chunked_array([_from_text(whole.cast(pa.string()), column, zone, before)])
    if pa.types.is_date(whole.type):
        whole = whole.cast(NAIVE)
    if not pa.types.is_timestamp(whole.type):
        raise LabelsError(f"column {column!r} is to hold the labels' times; it holds {whole.type}", column=column)
    if whole.type.tz is not None:
        return pa.chunked_array([whole.cast(ARROW_TYPES["timestamp"], safe=False)])
    return pa.chunked_array([_localized(whole.cast(NAIVE, safe=False), column, zone, before)])


def _from_text(texts: pa.Array, column: str, zone: str, before: int) -> pa.Array:
    texts = pc.utf8_trim_whitespace(texts)
    short = pc.equal(pc.utf8_length(texts), DATE)
    texts = pc.if_else(short, pc.binary_join_element_wise(texts, "T00:00:00", ""), texts)
    zoned = pc.match_substring_regex(texts, ZONE)
    utc, wrong = coerce(pc.if_else(zoned, texts, pc.binary_join_element_wise(texts, "Z", "")), "timestamp")
    _refuse(pa.array(wrong), texts, column, before, "which is no ISO 8601 time")
    if pc.all(zoned).as_py():
        return utc
    naive = pc.if_else(zoned, None, utc).cast(pa.int64()).cast(NAIVE)
    return pc.coalesce(pc.if_else(zoned, utc, None), _localized(naive, column, zone, before))


def _localized(times: pa.Array, column: str, zone: str, before: int) -> pa.Array:
    if not zone:
        hint = "which names no zone; write 2013-01-01T10:00:00Z, or give the zone with --timezone"
        _refuse(pc.is_valid(times), times, column, before, hint, NaiveTimesError)
    try:
        ZoneInfo(zone or "UTC")
        local = pc.assume_timezone(times, zone or "UTC", ambiguous="raise", nonexistent="raise")
    except (ZoneInfoNotFoundError, ValueError) as error:
        if isinstance(error, pa.ArrowInvalid):
            raise NaiveTimesError(_of_no_moment(times, column, zone, before), column=column) from error
        raise NaiveTimesError(f"no time zone is named {bounded(repr(zone))}; one is Europe/Berlin") from error
    return local.cast(ARROW_TYPES["timestamp"])


def _of_no_moment(times: pa.Array, column: str, zone: str, before: int) -> str:
    early = pc.assume_timezone(times, zone, ambiguous="earliest", nonexistent="earliest").cast(pa.int64())
    late = pc.assume_timezone(times, zone, ambiguous="latest", nonexistent="latest").cast(pa.int64())
    place = int(np.flatnonzero(pc.fill_null(pc.not_equal(early, late), False).to_numpy(zero_copy_only=False))[0])
    found = f"row {before + place + 1} of the labels has {column} {times[place].as_py().isoformat()}"
    return f"{found}, which clocks in {zone} showed twice or never; give such times with their offset from UTC"


def _refuse(
    faulty: pa.Array, values: pa.Array, column: str, before: int, why: str, kind: type[LabelsError] = LabelsError
) -> None:
    places = np.flatnonzero(faulty.to_numpy(zero_copy_only=False))
    if len(places):
        got = bounded(str(values[int(places[0])].as_py()), 60)
        raise kind(f"row {before + int(places[0]) + 1} of the labels has {column} {got}, {why}", column=column)
