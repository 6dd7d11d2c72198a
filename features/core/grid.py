"""Grids of whole steps: on one, values are summed exactly, in any order and in any parts.

A grid hangs on nothing but the number of rows and the span of a column, both rounded up coarsely: it stays the same
while a table grows a little, and sums made from it at one version can be compared with those made at another.
"""

import math
from dataclasses import asdict, dataclass
from typing import Any

# A sum of all rows stays within 62 bits; a square of 31 bits is summed as two halves of 31.
SUM_BITS, HALF_BITS = 62, 31
HALF = 1 << HALF_BITS
# Rows are counted in bits, in steps of 4; more than 2^30 don't fit the squares.
FEWEST_ROW_BITS, MOST_ROW_BITS, ROW_STEP, SPAN_STEP = 20, 30, 4, 2
# A float holds no larger power of two: what is smaller than this grid is nothing.
MAX_BITS = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """What is known of a column's values.

    Parameters
    ----------
    low, high : float
        No value is less or greater.
    missing : bool
        Whether a value may be missing.
    """

    low: float = 0.0
    high: float = 1.0
    missing: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Grid:
    """The steps in which a column is summed.

    Parameters
    ----------
    bits : int
        Values are summed in steps of 2^-bits.
    low_bits : int
        What is left of a value is summed in steps of 2^-(bits + low_bits); 0 where nothing is left.
    square_bits : int
        Distances from the centre are squared in steps of 2^-square_bits.
    centre : float
        About the middle of the column.
    """

    bits: int
    low_bits: int
    square_bits: int
    centre: float

    def as_dict(self) -> dict[str, Any]:
        """Return the grid as plain values."""
        return asdict(self)


def row_bits(rows: int) -> int:
    """Return how many bits number the rows, rounded up.

    Parameters
    ----------
    rows : int
        How many there are.

    Returns
    -------
    int
    """
    needed = max(rows.bit_length(), FEWEST_ROW_BITS)
    return max(min(-(-needed // ROW_STEP) * ROW_STEP, MOST_ROW_BITS), needed)


def grid_for(span: Span, rows: int, *, whole: bool) -> Grid:
    """Choose the grid of a column.

    Parameters
    ----------
    span : Span
        The column's.
    rows : int
        How many rows may be summed.
    whole : bool
        Whether all values are whole numbers.

    Returns
    -------
    Grid
    """
    bits_of_rows = row_bits(rows)
    room = SUM_BITS - bits_of_rows - _exponent(max(abs(span.low), abs(span.high)))
    plain = whole and room >= 0
    width = _exponent(span.high - span.low)
    middle = span.low / 2 + span.high / 2
    # A multiple of the width: it moves only when the column's middle has moved that far.
    centre = math.ldexp(math.floor(math.ldexp(middle, -width)), width)
    return Grid(
        bits=0 if plain else min(room, MAX_BITS),
        low_bits=0 if plain else SUM_BITS - bits_of_rows,
        square_bits=min(HALF_BITS - width - 1, MAX_BITS),
        centre=centre,
    )


def _exponent(size: float) -> int:
    """Return the power of two above a size, rounded up."""
    exponent = math.frexp(size or 1.0)[1] if math.isfinite(size) else 1026
    return -(-exponent // SPAN_STEP) * SPAN_STEP
