"""From what a file holds to what the schema asks for, a column at a time, noting each value that doesn't fit."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from features.core.schema import ARROW_TYPES, Dtype

BoolArray = npt.NDArray[np.bool_]
NAIVE = pa.timestamp("us")
ZONE = r"([zZ]|[+-][0-9]{2}:?[0-9]{2})$"
NANOSECONDS = r"(\.[0-9]{6})[0-9]+"
PATTERNS: dict[str, str] = {
    "integer": r"^[+-]?[0-9]{1,19}$",
    "number": r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$",
    "boolean": r"^(?i:true|false)$",
    "timestamp": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}",
}
# Databases store no text that holds it.
NUL = "\x00"
TRUTHS = pa.array(["true", "1", "t", "yes", "y"])
FALSEHOODS = pa.array(["false", "0", "f", "no", "n"])


def is_text(kind: pa.DataType) -> bool:
    """Tell whether values of this Arrow type are text.

    Parameters
    ----------
    kind : pyarrow.DataType
        Type of a column as it was read.

    Returns
    -------
    bool
        True for every kind of string.
    """
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def fits(kind: pa.DataType, dtype: Dtype) -> bool:
    """Tell whether a typed column (not text) may stand for a dtype.

    Parameters
    ----------
    kind : pyarrow.DataType
        Type of a column as it was read.
    dtype : str
        What the contract asks for.

    Returns
    -------
    bool
        True if the values can be taken as they are, or cast without loss.
    """
    if pa.types.is_null(kind):
        return True
    if dtype == "integer":
        return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))
    if dtype == "number":
        return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))
    if dtype == "boolean":
        return bool(pa.types.is_boolean(kind))
    if dtype == "timestamp":
        return bool(pa.types.is_timestamp(kind) or pa.types.is_date(kind))
    return is_text(kind)


def coerce(values: pa.Array, dtype: Dtype) -> tuple[pa.Array, BoolArray]:
    """Turn a column into its dtype.

    Parameters
    ----------
    values : pyarrow.Array of length n
        Text, or typed values; null means missing.
    dtype : str
        What is asked for. Times without a zone are taken as UTC; times are cut to microseconds.

    Returns
    -------
    pyarrow.Array of length n
        Of the dtype's Arrow type, null where missing or not fitting.
    ndarray of bool, shape (n,)
        True where a value was there and doesn't fit. NaN is missing; an infinity doesn't fit.
    """
    kind = values.type
    if pa.types.is_null(kind):
        return pa.nulls(len(values), ARROW_TYPES[dtype]), np.zeros(len(values), bool)
    if pa.types.is_floating(kind):
        values = pc.if_else(pc.is_nan(values), None, values)
    if not is_text(kind) and not fits(kind, dtype):
        values = values.cast(pa.string())
    typed = _from_text(values.cast(pa.string()), dtype) if is_text(values.type) else _from_typed(values, dtype)
    if dtype == "number":
        # Text such as 1e999 becomes an infinity.
        typed = pc.if_else(pc.is_finite(typed), typed, None)
    bad = pc.and_(pc.is_valid(values), pc.is_null(typed))
    return typed, bad.to_numpy(zero_copy_only=False)


def _from_typed(values: pa.Array, dtype: Dtype) -> pa.Array:
    target = ARROW_TYPES[dtype]
    if dtype == "integer" and pa.types.is_floating(values.type):
        whole = pc.and_(pc.equal(values, pc.round(values)), pc.less(pc.abs(values), 2.0**53))
        return pc.if_else(whole, values, None).cast(target)
    if dtype == "integer" and pa.types.is_uint64(values.type):
        return pc.if_else(pc.less_equal(values, pa.scalar(2**63 - 1, pa.uint64())), values, None).cast(target)
    if dtype == "timestamp" and pa.types.is_timestamp(values.type) and values.type.tz is None:
        return values.cast(NAIVE, safe=False).cast(target)
    return values.cast(target, safe=False)


def _from_text(values: pa.Array, dtype: Dtype) -> pa.Array:
    if dtype == "string":
        return pc.if_else(pc.match_substring(values, NUL), None, values)
    if dtype == "boolean":
        lower = pc.utf8_lower(values)
        true, false = pc.is_in(lower, TRUTHS), pc.is_in(lower, FALSEHOODS)
        return pc.if_else(pc.or_(true, false), true, None)
    if dtype == "timestamp":
        return _times(values)
    return _cast_what_fits(values, lambda part: part.cast(ARROW_TYPES[dtype]), PATTERNS[dtype])


def _times(values: pa.Array) -> pa.Array:
    values = pc.replace_substring_regex(values, NANOSECONDS, r"\1")
    zoned = pc.match_substring_regex(values, ZONE)
    # A date such as 2013-01-01 ends like a zone of minus one hour: it is as long as a date, no longer.
    zoned = pc.and_(zoned, pc.greater(pc.utf8_length(values), 10))
    target, pattern = ARROW_TYPES["timestamp"], PATTERNS["timestamp"]
    with_zone = _cast_what_fits(pc.if_else(zoned, values, None), lambda part: part.cast(target), pattern)
    plain = pc.if_else(zoned, None, values)
    without = _cast_what_fits(plain, lambda part: part.cast(NAIVE).cast(target), pattern)
    return pc.coalesce(with_zone, without)


def _cast_what_fits(values: pa.Array, cast: Callable[[pa.Array], pa.Array], pattern: str) -> pa.Array:
    """Cast all at once; where that fails, the values of the right shape; where that fails, halves."""
    try:
        return cast(values)
    except pa.ArrowInvalid:
        shaped = pc.if_else(pc.match_substring_regex(values, pattern), values, None)
    # Arrow knows no leading plus.
    return _cast_halves(pc.replace_substring_regex(shaped, r"^\+", ""), cast)


def _cast_halves(values: pa.Array, cast: Callable[[pa.Array], pa.Array]) -> pa.Array:
    try:
        return cast(values)
    except pa.ArrowInvalid:
        if len(values) == 1:
            return cast(pa.nulls(1, pa.string()))
    middle = len(values) // 2
    return pa.concat_arrays([_cast_halves(values[:middle], cast), _cast_halves(values[middle:], cast)])
