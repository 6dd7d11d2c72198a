"""A linear graph asked without its engine: a sum of products in double precision, which says the same and sooner."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from predictions.adapters.runtime import Labels, OnnxRuntime, Scores
from predictions.core.inputs import Columns
from predictions.core.linear_graph import LinearGraph, linear_graph
from predictions.core.number_frame import NumberFrame

CHECKED_ROWS = 200
# The graph reckons in float32; what is more than its own error is another model.
TOLERANCE = 1e-5


class LinearRuntime:
    """Asks a linear graph; the answer for a row is the same alone and among others.

    Values are rounded to float32, as the graph takes them and as the model was trained.
    """

    def __init__(self, graph: LinearGraph, names: Sequence[str], output_schema: Mapping[str, Any]) -> None:
        self.names = list(names)
        self._weights = np.array(graph.weights)
        self._intercept = graph.intercept
        self._fill = None if graph.fill is None else np.array(graph.fill, dtype=np.float32)
        self._labels = Labels(output_schema)
        self._pair = None if graph.labels is None else self._labels.original(np.array(graph.labels, dtype=object))

    takes_rows = True

    def score(self, frame: Columns) -> Scores:
        """Return one prediction per row."""
        cells = frame.matrix if isinstance(frame, NumberFrame) else np.stack([frame[name] for name in self.names], 1)
        matrix = np.ascontiguousarray(cells, dtype=np.float32)
        sums = np.add.reduce(matrix * self._weights, axis=1)
        if self._fill is not None and np.isnan(sums).any():
            sums = np.add.reduce(np.where(np.isnan(matrix), self._fill, matrix) * self._weights, axis=1)
        margins: list[float] = (sums + self._intercept).tolist()
        if self._pair is None:
            return Scores(predictions=margins)
        no, yes = self._pair
        shares = _shares(margins)
        if self._labels.threshold is not None:
            return self._labels.decided(shares)
        return Scores(predictions=[yes if margin > 0 else no for margin in margins], probabilities=shares)

    def score_row(self, cells: Sequence[float]) -> tuple[Any, Sequence[float] | None]:
        """Return the prediction for one row without missing values, and its shares; the bits are those of `score`."""
        margin = float(np.add.reduce(np.array(cells, dtype=np.float32) * self._weights)) + self._intercept
        if self._pair is None:
            return margin, None
        shares = _pair(margin)
        if self._labels.threshold is not None:
            return self._labels.classes[shares[1] >= self._labels.threshold], shares
        return self._pair[margin > 0], shares


def _pair(margin: float) -> tuple[float, float]:
    small = math.exp(-abs(margin))
    less, more = small / (1 + small), 1 / (1 + small)
    return (less, more) if margin > 0 else (more, less)


def _shares(margins: list[float]) -> npt.NDArray[np.float64]:
    """Return the shares of both classes; Python's exponential, for one row as for many, gives the same bits."""
    if len(margins) == 1:
        return np.array([_pair(margins[0])])
    smalls = np.array(list(map(math.exp, (-np.abs(margins)).tolist())))
    less, more = smalls / (1 + smalls), 1 / (1 + smalls)
    is_second = np.array(margins) > 0
    return np.stack([np.where(is_second, less, more), np.where(is_second, more, less)], axis=1)


def graph_runtime(
    blob: bytes, input_schema: Sequence[Mapping[str, Any]], output_schema: Mapping[str, Any]
) -> OnnxRuntime | LinearRuntime:
    """Return what asks a graph: the sum it is, if it is linear and that says what its engine says, else its engine."""
    runtime = OnnxRuntime(blob, input_schema, output_schema)
    if any(column["dtype"] == "string" for column in input_schema):
        return runtime
    graph = linear_graph(blob, len(input_schema))
    if graph is None or (graph.labels is None) != (output_schema.get("task") != "classification"):
        return runtime
    found = LinearRuntime(graph, runtime.names, output_schema)
    columns = _probes(graph, runtime.names)
    return found if _is_same(found.score(columns), runtime.score(columns)) else runtime


def _probes(graph: LinearGraph, names: Sequence[str]) -> Columns:
    """Return rows about where the graph expects them, one of them with nothing but missing values."""
    draw = np.random.default_rng(0).normal(scale=2.0, size=(CHECKED_ROWS, len(names)))
    rows: npt.NDArray[np.float64] = np.array(graph.centre) + draw * np.array(graph.spread)
    if graph.fill is not None:
        rows[0] = np.nan
    return {name: rows[:, place] for place, name in enumerate(names)}


def _is_same(ours: Scores, theirs: Scores) -> bool:
    if ours.probabilities is None or theirs.probabilities is None:
        one, other = (np.array(scores.predictions, dtype=np.float64) for scores in (ours, theirs))
        return bool(np.abs(one - other).max() <= TOLERANCE * max(1.0, np.abs(other).max()))
    apart = np.abs(ours.probabilities - theirs.probabilities).max()
    # Where the classes are as likely as each other, either label is right.
    clear = np.abs(ours.probabilities[:, 0] - 0.5) > TOLERANCE
    labels = zip(ours.predictions, theirs.predictions, clear, strict=True)
    return bool(apart <= TOLERANCE) and all(one == other for one, other, is_clear in labels if is_clear)
