"""From what a file holds to what the schema asks for, a column at a time, noting each value that doesn't fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.core.cast import cast_what_fits
from features.core.schema import ARROW_TYPES, Dtype
from features.core.times import instants, is_time, time_rules
from features.ground.late import pa, pc

BoolArray = npt.NDArray[np.bool_]
PATTERNS: dict[str, str] = {
    "integer": r"^[+-]?0*[0-9]{1,19}$",
    "number": r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$",
}
# Databases store no text that holds it.
NUL = "\x00"
MAX_TEXT_BYTES = 65_536
NOT_TEXT, TOO_LONG = "not_text", "text_too_long"
TRUTHS = ("true", "1", "t", "yes", "y")
FALSEHOODS = ("false", "0", "f", "no", "n")


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """What columns are to become.

    Parameters
    ----------
    dtypes : mapping of str to str
        The dtype of each column.
    zone : str
        Zone of times that name none; empty: they don't fit.
    """

    dtypes: Mapping[str, Dtype]
    zone: str = ""


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
        return is_time(kind)
    return is_text(kind)


def coerce(values: pa.Array, dtype: Dtype, zone: str = "") -> tuple[pa.Array, BoolArray]:
    """Turn a column into its dtype.

    Parameters
    ----------
    values : pyarrow.Array of length n
        Text, or typed values; null means missing.
    dtype : str
        What is asked for.
    zone : str
        Zone of times that name none; where it is empty they don't fit. Times are cut to microseconds.

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
    if pa.types.is_floating(kind) and pc.any(pc.is_nan(values)).as_py():
        values = pc.if_else(pc.is_nan(values), None, values)
    if not is_text(kind) and not fits(kind, dtype):
        values = values.cast(pa.string())
    if is_text(values.type):
        typed = _from_text(values.cast(pa.string()), dtype, zone)
    else:
        typed = _from_typed(values, dtype, zone)
    if dtype == "number" and pc.all(pc.is_finite(typed)).as_py() is False:
        # Text such as 1e999 becomes an infinity.
        typed = pc.if_else(pc.is_finite(typed), typed, None)
    if typed.null_count == values.null_count:
        return typed, np.zeros(len(values), bool)
    bad = pc.and_(pc.is_valid(values), pc.is_null(typed))
    return typed, bad.to_numpy(zero_copy_only=False)


def coerced_table(table: pa.Table, target: Target) -> pa.Table | None:
    """Turn a table into its dtypes if every value fits.

    Parameters
    ----------
    table : pyarrow.Table
        Text or typed columns; those the target doesn't name stay as they are.
    target : Target
        What the columns are to become.

    Returns
    -------
    pyarrow.Table or None
        None where a value doesn't fit.
    """
    arrays = []
    for name in table.column_names:
        values = table.column(name).combine_chunks()
        if name in target.dtypes:
            values, bad = coerce(values, target.dtypes[name], target.zone)
            if bad.any():
                return None
        arrays.append(values)
    return pa.Table.from_arrays(arrays, names=table.column_names)


def misfit_rules(values: pa.Array, dtype: Dtype, zone: str = "") -> list[str]:
    """Say why values don't fit.

    Parameters
    ----------
    values : pyarrow.Array of length n
        Values `coerce` found not to fit.
    dtype, zone : str
        As there.

    Returns
    -------
    list of str, length n
        The rule each breaks.
    """
    if dtype == "timestamp" and (is_text(values.type) or is_time(values.type)):
        return time_rules(values.cast(pa.string()) if is_text(values.type) else values, zone)
    if dtype == "string" and is_text(values.type):
        nul = pc.match_substring(values.cast(pa.string()), NUL).to_pylist()
        return [NOT_TEXT if found else TOO_LONG for found in nul]
    return [NOT_TEXT if dtype == "string" else f"not_{dtype}"] * len(values)


def _from_typed(values: pa.Array, dtype: Dtype, zone: str) -> pa.Array:
    target = ARROW_TYPES[dtype]
    if values.type == target and dtype != "timestamp":
        return values
    if dtype == "integer" and pa.types.is_floating(values.type):
        whole = pc.and_(pc.equal(values, pc.round(values)), pc.less(pc.abs(values), 2.0**53))
        return pc.if_else(whole, values, None).cast(target)
    if dtype == "integer" and pa.types.is_uint64(values.type):
        return pc.if_else(pc.less_equal(values, pa.scalar(2**63 - 1, pa.uint64())), values, None).cast(target)
    if dtype == "timestamp":
        return instants(values, zone)
    return values.cast(target, safe=False)


def _from_text(values: pa.Array, dtype: Dtype, zone: str) -> pa.Array:
    if dtype == "string":
        return _storable(values)
    if dtype == "timestamp":
        return instants(values, zone)
    try:
        # Arrow takes 0x1F for a number, and nobody else does.
        if dtype != "integer" or not _holds(values, b"xX"):
            return values.cast(ARROW_TYPES[dtype])
    except pa.ArrowInvalid:
        pass
    if dtype == "boolean":
        lower = pc.utf8_lower(values)
        true, false = (pc.is_in(lower, pa.array(words)) for words in (TRUTHS, FALSEHOODS))
        return pc.if_else(pc.or_(true, false), true, None)
    return cast_what_fits(values, lambda part: part.cast(ARROW_TYPES[dtype]), PATTERNS[dtype])


def _storable(values: pa.Array) -> pa.Array:
    if _holds(values, b"\x00"):
        values = pc.if_else(pc.match_substring(values, NUL), None, values)
    longest = pc.max(pc.binary_length(values)).as_py()
    if longest is not None and longest > MAX_TEXT_BYTES:
        values = pc.if_else(pc.greater(pc.binary_length(values), MAX_TEXT_BYTES), None, values)
    return values


def _holds(values: pa.Array, signs: bytes) -> bool:
    """Tell whether the bytes behind text hold one of these signs, perhaps where no value is."""
    data = values.buffers()[2]
    if data is None or not len(values):
        return False
    ends = np.frombuffer(values.buffers()[1], np.int32)[[values.offset, values.offset + len(values)]]
    text = bytes(memoryview(data)[ends[0] : ends[1]])
    return any(sign in text for sign in signs)
