"""Instants from what files hold: text or typed times, with a zone or in a zone the dataset names."""

from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

import numpy as np
import numpy.typing as npt

from features.core.cast import cast_what_fits
from features.errors import SchemaError
from features.ground.errors import bounded
from features.ground.late import pa, pc

BoolArray = npt.NDArray[np.bool_]
NOT_TIME, NO_ZONE, OUT_OF_RANGE = "not_timestamp", "naive_timestamp", "time_out_of_range"
AMBIGUOUS, NONEXISTENT = "ambiguous_time", "nonexistent_time"
# A day at each end of what dates can hold is left free, so that no zone and no window leads out of it; and 9999 is
# what people write for "never": it would be the newest event for ever.
FIRST_US, LAST_US = -62_135_510_400_000_000, 253_370_764_799_999_999
ZONE = r"([zZ]|[+-][0-9]{2}(:?[0-9]{2})?)$"
SHAPE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}(:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?)?(Z|[+-][0-9]{2}(:?[0-9]{2})?)?)?$"
NANOSECONDS = r"(\.[0-9]{6})[0-9]+"
DAY_LENGTH = len("2013-01-01")
UNITS_US: dict[str, tuple[int, int]] = {"s": (1_000_000, 1), "ms": (1000, 1), "us": (1, 1), "ns": (1, 1000)}


def check_zone(zone: str) -> str:
    """Return the name of a time zone if there is one of this name.

    Parameters
    ----------
    zone : str
        As the IANA database has it, such as America/New_York; empty for none.

    Returns
    -------
    str
        The same.

    Raises
    ------
    SchemaError
        If there is no such zone.
    """
    if zone and zone not in available_timezones():
        text = "a time zone is named as in the IANA database, such as UTC or America/New_York"
        raise SchemaError(f"{text}; got {bounded(repr(zone))}")
    return zone


def is_time(kind: pa.DataType) -> bool:
    """Tell whether values of this Arrow type are times or dates.

    Parameters
    ----------
    kind : pyarrow.DataType
        Type of a column as it was read.

    Returns
    -------
    bool
        True for timestamps and dates.
    """
    return bool(pa.types.is_timestamp(kind) or pa.types.is_date(kind))


def is_naive(kind: pa.DataType) -> bool:
    """Tell whether values of this Arrow type are times of day without a zone.

    Parameters
    ----------
    kind : pyarrow.DataType
        Type of a column as it was read.

    Returns
    -------
    bool
        True for timestamps without a zone; a date alone names a day in any zone.
    """
    return bool(pa.types.is_timestamp(kind) and kind.tz is None)


def instants(values: pa.Array, zone: str) -> pa.Array:
    """Turn text or typed times into instants.

    Parameters
    ----------
    values : pyarrow.Array of length n
        Text as ISO 8601, or times or dates; null means missing.
    zone : str
        Zone of times that name none; where it is empty they don't fit. A date is the first moment of its day, in UTC
        where no zone is named.

    Returns
    -------
    pyarrow.Array of length n
        UTC, cut to microseconds; null where missing or not fitting.
    """
    if is_time(values.type):
        return _in_range(_typed(values, zone))
    try:
        # All with a zone, as most files have them.
        return _in_range(values.cast(_utc()))
    except pa.ArrowInvalid:
        zoned, local, days = _parts(values)
    return _in_range(pc.coalesce(zoned, _placed(local, days, zone)))


def time_rules(values: pa.Array, zone: str) -> list[str]:
    """Say why times don't fit.

    Parameters
    ----------
    values : pyarrow.Array of length n
        Values that `instants` made null, none missing.
    zone : str
        As there.

    Returns
    -------
    list of str, length n
        A rule for each.
    """
    typed = is_time(values.type)
    if typed and not is_naive(values.type):
        return [OUT_OF_RANGE] * len(values)
    missing, no_day = pa.nulls(len(values), _utc()), np.zeros(len(values), bool)
    zoned, local, days = (missing, _typed_local(values), no_day) if typed else _parts(values)
    rules = np.full(len(values), OUT_OF_RANGE if typed else NOT_TIME, object)
    there = _mask(pc.is_valid(local))
    rules[there & ~days & (not zone)] = NO_ZONE
    if zone:
        early, late = _between(local, zone)
        gap = late - early
        rules[there & (gap == 1)] = NONEXISTENT
        rules[there & (gap > 1)] = AMBIGUOUS
        rules[there & (gap == 0)] = OUT_OF_RANGE
    rules[there & days] = OUT_OF_RANGE
    rules[_mask(pc.is_valid(zoned))] = OUT_OF_RANGE
    return [str(rule) for rule in rules]


def _parts(values: pa.Array) -> tuple[pa.Array, pa.Array, BoolArray]:
    """Split text into instants, local times, and which of these are days."""
    values = pc.replace_substring_regex(values, NANOSECONDS, r"\1")
    length = pc.utf8_length(values)
    # A date such as 2013-01-01 ends like a zone of minus one hour: it is as long as a date, no longer.
    zoned = pc.and_(pc.match_substring_regex(values, ZONE), pc.greater(length, DAY_LENGTH))
    with_zone = cast_what_fits(pc.if_else(zoned, values, None), lambda part: part.cast(_utc()), SHAPE)
    plain = pc.if_else(zoned, None, values)
    local = cast_what_fits(plain, lambda part: part.cast(_naive()), SHAPE)
    return with_zone, local, _mask(pc.and_(pc.is_valid(local), pc.equal(length, DAY_LENGTH)))


def _typed(values: pa.Array, zone: str) -> pa.Array:
    if pa.types.is_date(values.type):
        return _placed(_typed_local(values), np.ones(len(values), bool), zone)
    if is_naive(values.type):
        return _placed(_typed_local(values), np.zeros(len(values), bool), zone)
    return _typed_local(values).cast(_utc())


def _typed_local(values: pa.Array) -> pa.Array:
    """Return typed times as microseconds without a zone; null where they are out of range, as a cast would wrap."""
    if pa.types.is_date32(values.type):
        values = values.cast(pa.int32()).cast(pa.int64())
        many, few = 86_400_000_000, 1
    elif pa.types.is_date64(values.type):
        values, (many, few) = values.cast(pa.int64()), UNITS_US["ms"]
    else:
        (many, few), values = UNITS_US[values.type.unit], values.cast(pa.int64())
    first, last = FIRST_US * few // many, LAST_US * few // many if few == 1 else 2**63 - 1
    first = max(first, -(2**63))
    inside = pc.and_(pc.greater_equal(values, first), pc.less_equal(values, last))
    values = pc.if_else(inside, values, None)
    values = pc.multiply(values, many) if few == 1 else pc.divide(values, few)
    return values.cast(_naive())


def _placed(local: pa.Array, days: BoolArray, zone: str) -> pa.Array:
    """Return local times of a zone as instants; null where the zone has none or two for them."""
    if not zone:
        return pc.if_else(pa.array(days), local, None).cast(_utc())
    if local.null_count == len(local):
        return pa.nulls(len(local), _utc())
    if not days.any():
        try:
            return pc.assume_timezone(local, zone).cast(_utc())
        except pa.ArrowInvalid:
            pass
    early, late = _between(local, zone)
    # A day whose midnight the clocks skip or repeat begins all the same.
    first = np.where(late - early == 1, late, early)
    fits = _mask(pc.is_valid(local)) & (days | (early == late))
    return pa.array(first, pa.int64(), mask=~fits).cast(_utc())


def _between(local: pa.Array, zone: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the earliest and latest instants a local time can mean; around a gap, its two edges, 1 µs apart."""
    filled = pc.fill_null(local, pa.scalar(0, pa.int64()).cast(_naive()))
    early, late = (
        pc.assume_timezone(filled, zone, ambiguous=side, nonexistent=side).cast(pa.int64()).to_numpy()
        for side in ("earliest", "latest")
    )
    return early, late


def _in_range(found: pa.Array) -> pa.Array:
    ends: dict[str, Any] = pc.min_max(found.cast(pa.int64())).as_py()
    if ends["min"] is None or (ends["min"] >= FIRST_US and ends["max"] <= LAST_US):
        return found
    raw = found.cast(pa.int64())
    return pc.if_else(pc.and_(pc.greater_equal(raw, FIRST_US), pc.less_equal(raw, LAST_US)), found, None)


def _mask(values: pa.Array) -> BoolArray:
    found: BoolArray = pc.fill_null(values, False).to_numpy(zero_copy_only=False)
    return found


def _naive() -> pa.DataType:
    return pa.timestamp("us")


def _utc() -> pa.DataType:
    return pa.timestamp("us", tz="UTC")
