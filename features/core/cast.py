"""Casts that keep what fits and leave the rest out."""

from __future__ import annotations

from collections.abc import Callable

from features.ground.late import pa, pc


def cast_what_fits(values: pa.Array, cast: Callable[[pa.Array], pa.Array], pattern: str) -> pa.Array:
    """Cast text; all at once, or the values of the right shape, or halves of them.

    Parameters
    ----------
    values : pyarrow.Array of length n
        Text; null means missing.
    cast : callable
        Arrow's cast, which refuses all for one that doesn't fit.
    pattern : str
        Shape of values that may fit, as a regular expression.

    Returns
    -------
    pyarrow.Array of length n
        Null where missing or not fitting.
    """
    shaped = pc.if_else(pc.match_substring_regex(values, pattern), values, None)
    # Arrow knows no leading plus.
    return _halves(pc.replace_substring_regex(shaped, r"^\+", ""), cast)


def _halves(values: pa.Array, cast: Callable[[pa.Array], pa.Array]) -> pa.Array:
    try:
        return cast(values)
    except pa.ArrowInvalid:
        if len(values) == 1:
            return cast(pa.nulls(1, pa.string()))
    middle = len(values) // 2
    return pa.concat_arrays([_halves(values[:middle], cast), _halves(values[middle:], cast)])
