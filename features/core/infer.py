"""What a file's columns seem to hold, from every row of it."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from features.core.coerce import PATTERNS, coerce, fits, is_text
from features.core.schema import Column, Dtype

# In this order where several fit equally well.
CANDIDATES: tuple[Dtype, ...] = ("boolean", "integer", "number", "timestamp")
# A column is a number although a few values aren't: those rows go to quarantine, and the model keeps a number.
TOLERATED_SHARE = 0.05
LEADING_ZERO = r"^[+-]?0[0-9]"


class ColumnGuess:
    """Counts, over chunks, how many values of a column each dtype would refuse.

    Parameters
    ----------
    name : str
        The column's name.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.rows = 0
        self.present = 0
        self.misfits: dict[Dtype, int] = dict.fromkeys(CANDIDATES, 0)

    def update(self, values: pa.Array) -> None:
        """Count one more chunk.

        Parameters
        ----------
        values : pyarrow.Array
            Text or typed; null means missing.
        """
        present = len(values) - values.null_count
        self.rows += len(values)
        self.present += present
        for dtype in CANDIDATES:
            # Looking at a hopeless candidate again would cost time on every chunk.
            hopeless = self.misfits[dtype] * 2 > self.present
            self.misfits[dtype] += present if hopeless else _misfits(values, dtype, present)

    def column(self) -> Column:
        """Return the column as guessed: the dtype with the fewest misfits, text if none is good enough."""
        best = min(CANDIDATES, key=lambda dtype: self.misfits[dtype])
        good = self.present > 0 and self.misfits[best] <= self.present * TOLERATED_SHARE
        return Column(name=self.name, dtype=best if good else "string", nullable=self.present < self.rows)


def _misfits(values: pa.Array, dtype: Dtype, present: int) -> int:
    if not is_text(values.type):
        if pa.types.is_floating(values.type) and dtype == "integer":
            return present
        return 0 if fits(values.type, dtype) else present
    if dtype == "boolean":
        # 0 and 1 are numbers to everybody who hasn't said otherwise.
        return present - _matching(values, PATTERNS["boolean"])
    bad = int(coerce(values, dtype)[1].sum())
    # 00123 is a code, not a number: as a number it would lose its zeros.
    return bad + (_matching(values, LEADING_ZERO) if dtype in ("integer", "number") else 0)


def _matching(values: pa.Array, pattern: str) -> int:
    return pc.sum(pc.match_substring_regex(values, pattern)).as_py() or 0


def guessed_columns(guesses: Sequence[ColumnGuess]) -> tuple[Column, ...]:
    """Return the columns of all guesses, in order.

    Parameters
    ----------
    guesses : sequence of ColumnGuess
        What was seen of each column.

    Returns
    -------
    tuple of Column
        One column for each guess.
    """
    return tuple(guess.column() for guess in guesses)
