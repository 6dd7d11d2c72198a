"""What a file's columns seem to hold, from every row of it."""

from __future__ import annotations

from collections.abc import Sequence

from features.core.coerce import coerce, fits, is_text
from features.core.schema import Column, Dtype
from features.core.text_shape import DIGIT, SIGN, TextShape, text_shape
from features.ground.late import pa, pc

# In this order where several fit equally well.
CANDIDATES: tuple[Dtype, ...] = ("boolean", "integer", "number", "timestamp")
# A column is a number although a few values aren't: those rows go to quarantine, and the model keeps a number.
TOLERATED_SHARE = 0.05
DIGITS, LONGEST_INTEGER = r"^[+-]?[0-9]+$", 19
TRUE_OR_FALSE = r"^(?i:true|false)$"
# Of all that fits as a truth, only these two words are as long.
SHORTEST_TRUTH = 4


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

    def update(self, values: pa.Array, fitting: Dtype | None = None) -> None:
        """Count one more chunk.

        Parameters
        ----------
        values : pyarrow.Array
            Text or typed; null means missing.
        fitting : str, optional
            A dtype that all of them are known to fit, with any time in a zone of its own.
        """
        present = len(values) - values.null_count
        self.rows += len(values)
        self.present += present
        hopeful = [dtype for dtype in CANDIDATES if self.misfits[dtype] * 2 <= self.present]
        seen: dict[Dtype, int] = {}
        shape = text_shape(values.cast(pa.string())) if hopeful and is_text(values.type) else None
        for dtype in CANDIDATES:
            # Looking at a hopeless candidate again would cost time on every chunk.
            if dtype not in hopeful:
                seen[dtype] = present
            elif shape is None:
                seen[dtype] = _typed_misfits(values, dtype, present)
            elif dtype == "number" and seen["integer"] == 0:
                # Whatever fits as an integer fits as a number.
                seen[dtype] = 0
            else:
                seen[dtype] = _text_misfits(values, shape, dtype, present, known=dtype == fitting)
            self.misfits[dtype] += seen[dtype]

    def column(self) -> Column:
        """Return the column as guessed: the dtype with the fewest misfits, text if none is good enough."""
        best = min(CANDIDATES, key=lambda dtype: self.misfits[dtype])
        good = self.present > 0 and self.misfits[best] <= self.present * TOLERATED_SHARE
        return Column(name=self.name, dtype=best if good else "string", nullable=self.present < self.rows)


def _typed_misfits(values: pa.Array, dtype: Dtype, present: int) -> int:
    if pa.types.is_floating(values.type) and dtype == "integer":
        return present
    return 0 if fits(values.type, dtype) else present


def _text_misfits(values: pa.Array, shape: TextShape, dtype: Dtype, present: int, *, known: bool) -> int:
    if not _plausible(shape, dtype):
        return present
    if dtype == "boolean":
        # 0 and 1 are numbers to everybody who hasn't said otherwise.
        if known:
            return present - shape.long(SHORTEST_TRUTH)
        words = pc.match_substring_regex(values, TRUE_OR_FALSE)
        return present - (pc.sum(words).as_py() or 0)
    # Times without a zone are times: whether they may be is for the contract to say.
    bad = 0 if known else int(coerce(values, dtype, "UTC")[1].sum())
    if dtype == "number" and shape.longest() >= LONGEST_INTEGER:
        # So many digits are a name: as a number it would lose the last of them.
        digits = pc.fill_null(pc.match_substring_regex(values, DIGITS), False)
        bad += int(coerce(values.filter(digits), "integer")[1].sum())
    return bad + (shape.leading_zeros() if dtype in ("integer", "number") else 0)


def _plausible(shape: TextShape, dtype: Dtype) -> int:
    if dtype == "boolean":
        return shape.beginning(b"tTfF")
    if dtype == "timestamp":
        return shape.times()
    return shape.beginning(DIGIT + SIGN + b".")


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
