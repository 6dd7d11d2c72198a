"""What a file's columns seem to hold, from every row of it."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.core.coerce import PATTERNS, coerce, fits, is_text
from features.core.schema import Column, Dtype

# In this order where several fit equally well.
CANDIDATES: tuple[Dtype, ...] = ("boolean", "integer", "number", "timestamp")
# A column is a number although a few values aren't: those rows go to quarantine, and the model keeps a number.
TOLERATED_SHARE = 0.05
SIGNS = np.frombuffer(b"+-", np.uint8)


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
        seen: dict[Dtype, int] = {}
        for dtype in CANDIDATES:
            # Looking at a hopeless candidate again would cost time on every chunk.
            hopeless = self.misfits[dtype] * 2 > self.present
            # Whatever fits as an integer fits as a number.
            integers = dtype == "number" and seen.get("integer") == 0
            seen[dtype] = present if hopeless else 0 if integers else _misfits(values, dtype, present)
            self.misfits[dtype] += seen[dtype]

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
    # Times without a zone are times: whether they may be is for the contract to say.
    bad = int(coerce(values, dtype, "UTC")[1].sum())
    # 00123 is a code, not a number: as a number it would lose its zeros.
    return bad + (leading_zeros(values) if dtype in ("integer", "number") else 0)


def leading_zeros(values: pa.Array) -> int:
    """Count texts such as 00123, with or without a sign.

    Parameters
    ----------
    values : pyarrow.Array
        Text; null means missing.

    Returns
    -------
    int
        How many begin with a zero that is followed by another digit.
    """
    values = values.cast(pa.string())
    if values.buffers()[2] is None or not len(values):
        return 0
    ends = np.frombuffer(values.buffers()[1], np.int32)[values.offset : values.offset + len(values) + 1]
    # Two more bytes, so that looking at the second sign never leaves the buffer.
    data = np.append(np.frombuffer(values.buffers()[2], np.uint8)[: ends[-1]], np.zeros(3, np.uint8))
    first = ends[:-1]
    signed = np.isin(data[first], SIGNS) if (data[: ends[-1]] < ord("0")).any() else np.zeros(len(first), bool)
    first = first + signed
    second = data[first + 1]
    return int(((data[first] == ord("0")) & (second >= ord("0")) & (second <= ord("9")) & (first + 1 < ends[1:])).sum())


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
