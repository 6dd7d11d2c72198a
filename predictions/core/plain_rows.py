"""Rows of numbers within bounds, the common case, are taken without a look at each cell."""

from collections.abc import Sequence
from itertools import chain
from operator import le
from typing import Any

import numpy as np
import numpy.typing as npt

from predictions.core.bulk_json import read_matrix
from predictions.core.number_frame import Layout, NumberFrame

_ONE_ROW = 2


class PlainRows:
    """How the rows of a model of numbers are let in where nothing about them is out of the ordinary.

    Parameters
    ----------
    layout : Layout
        Where each column stands.
    low, high : ndarray of shape (n_columns,)
        The bounds of each column.
    max_rows : int
        How many rows one request may hold.
    """

    def __init__(
        self, layout: Layout, low: npt.NDArray[np.float64], high: npt.NDArray[np.float64], max_rows: int
    ) -> None:
        self.layout = layout
        self._width, self._max_rows = len(layout.places), max_rows
        self._low, self._high = low, high
        self._lows, self._highs = low.tolist(), high.tolist()
        # What lies between these is within the bounds of every column.
        self._inner = max(self._lows, default=0.0), min(self._highs, default=0.0)

    def row(self, rows: Sequence[Any], text: bytes) -> list[float] | None:
        """Return the cells of the only row as they are, where `frame` would take it; else None.

        Parameters
        ----------
        rows : list
            One row.
        text : bytes
            The JSON it was read from.
        """
        row = rows[0]
        if type(row) is not list or len(row) != self._width or text.count(b"[") != _ONE_ROW or _has_others(text):
            return None
        low, high = self._inner
        if (low <= min(row) and max(row) <= high) or (all(map(le, self._lows, row)) and all(map(le, row, self._highs))):
            return row
        return None

    def frame(self, rows: Sequence[Any], text: bytes) -> NumberFrame | None:
        """Return rows as `InputPlan.from_rows` does where each is a list of numbers within bounds; else None.

        Parameters
        ----------
        rows : list
            At least one row.
        text : bytes
            The JSON they were read from: what is written without certain letters and signs is nothing but numbers.
        """
        width, count = self._width, len(rows)
        if count > self._max_rows or text.count(b"[") != count + 1 or _has_others(text):
            return None
        if {list} != set(map(type, rows)) or {width} != set(map(len, rows)):
            return None
        return self._within(np.fromiter(chain.from_iterable(rows), np.float64, count * width).reshape(count, width))

    def read(self, body: bytes) -> NumberFrame | None:
        """Return the rows of a body of nothing but `data` and rows of numbers within bounds as columns; else None.

        Parameters
        ----------
        body : bytes
            JSON text.
        """
        matrix = read_matrix(body, self._width)
        return None if matrix is None or len(matrix) > self._max_rows else self._within(matrix)

    def _within(self, matrix: npt.NDArray[np.float64]) -> NumberFrame | None:
        low, high = self._inner
        if low <= matrix.min() and matrix.max() <= high:
            return NumberFrame(self.layout, matrix)
        inside = (matrix >= self._low) & (matrix <= self._high)
        return NumberFrame(self.layout, matrix) if inside.all() else None


def _has_others(text: bytes) -> bool:
    """Tell whether there may be texts, objects, null or booleans in a list; a literal NaN, which is no JSON, too."""
    return b'"' in text or b"n" in text or b"N" in text or b"t" in text or b"f" in text or b"{" in text
