"""Columns of numbers kept as one matrix: a graph takes it whole, and no column is cut out that nobody reads."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import orjson

FloatMatrix = npt.NDArray[np.float64]


class Layout:
    """Where each column of a model stands; one is shared by all frames of the model.

    Parameters
    ----------
    names : sequence of str
        The columns in the schema's order.
    """

    __slots__ = ("names_json", "places")

    def __init__(self, names: Sequence[str]) -> None:
        self.places = {name: place for place, name in enumerate(names)}
        self.names_json = orjson.dumps(list(names)).decode()


class NumberFrame(Mapping[str, FloatMatrix]):
    """The columns of a model that takes nothing but numbers.

    Parameters
    ----------
    layout : Layout
        Where each column stands.
    matrix : ndarray of shape (n_rows, n_columns)
        The cells, NaN for a missing one.
    """

    __slots__ = ("layout", "matrix")

    def __init__(self, layout: Layout, matrix: FloatMatrix) -> None:
        self.layout = layout
        self.matrix = matrix

    def __getitem__(self, name: str) -> FloatMatrix:
        """Return a column."""
        return self.matrix[:, self.layout.places[name]]

    def __iter__(self) -> Iterator[str]:
        """Yield the names in order."""
        return iter(self.layout.places)

    def __len__(self) -> int:
        """Return how many columns there are."""
        return len(self.layout.places)
