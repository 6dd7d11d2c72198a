"""A graph that fills, scales and weighs its columns is one sum, and is asked as such."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from predictions.core.graph_wire import Graph, Node, read_graph

_FLOAT_INPUT = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class LinearGraph:
    """What a linear graph comes to.

    Parameters
    ----------
    weights : list of float
        One per column, of its float32 value.
    intercept : float
        What is added.
    fill : list of float or None
        What a missing value of a column becomes; None where the graph says nothing of missing ones.
    labels : list or None
        The two labels a classifier's graph gives; None for a regression.
    centre, spread : list of float
        About where the graph expects a column's values.
    """

    weights: list[float]
    intercept: float
    fill: list[float] | None
    labels: list[Any] | None
    centre: list[float]
    spread: list[float]


def linear_graph(blob: bytes, columns: int) -> LinearGraph | None:
    """Return what a graph of one matrix comes to, if it is a regression or of two classes, and linear.

    Parameters
    ----------
    blob : bytes
        An ONNX file.
    columns : int
        How many columns the model takes.

    Returns
    -------
    LinearGraph or None
        None for any other graph.
    """
    try:
        graph = read_graph(blob)
    except ValueError:
        return None
    if not _is_chain(graph):
        return None
    steps = {node.kind: node.attributes for node in graph.nodes}
    kinds = [node.kind for node in graph.nodes]
    if kinds[-1] not in ("LinearClassifier", "LinearRegressor") or [*kinds[:-1]] not in _BEFORE:
        return None
    fill = _wide(steps["Imputer"].get("imputed_value_floats"), columns) if "Imputer" in steps else None
    if "Imputer" in steps and (fill is None or not math.isnan(steps["Imputer"].get("replaced_value_float", 0.0))):
        return None
    scaler = steps.get("Scaler", {"offset": [0.0], "scale": [1.0]})
    offset, scale = _wide(scaler.get("offset"), columns), _wide(scaler.get("scale"), columns)
    found = _last(graph.nodes[-1], columns)
    if found is None or offset is None or scale is None:
        return None
    coefficients, intercept, labels = found
    weights = [one * by for one, by in zip(coefficients, scale, strict=True)]
    moved = math.fsum(-weight * by for weight, by in zip(weights, offset, strict=True))
    return LinearGraph(
        weights=weights,
        intercept=intercept + moved,
        fill=fill,
        labels=labels,
        centre=offset,
        spread=[1 / by if by else 1.0 for by in scale],
    )


_BEFORE: tuple[list[str], ...] = ([], ["Scaler"], ["Imputer"], ["Imputer", "Scaler"])


def _is_chain(graph: Graph) -> bool:
    """Tell whether each step takes what the one before gives, and the last gives the answer."""
    if graph.has_constants or len(graph.inputs) != 1 or not graph.nodes:
        return False
    before, kind = next(iter(graph.inputs.items()))
    for node in graph.nodes:
        if node.inputs != [before]:
            return False
        before = node.outputs[0]
    return kind == _FLOAT_INPUT and graph.outputs == graph.nodes[-1].outputs


def _wide(values: Sequence[float] | None, columns: int) -> list[float] | None:
    """Return one value per column; a single one stands for all."""
    if values is None or len(values) not in (1, columns):
        return None
    return [float(value) for value in values] * (columns if len(values) == 1 else 1)


def _last(node: Node, columns: int) -> tuple[list[float], float, list[Any] | None] | None:
    said = node.attributes
    coefficients, intercepts = said.get("coefficients") or [], said.get("intercepts") or [0.0, 0.0]
    if node.kind == "LinearRegressor":
        plain = said.get("post_transform", b"NONE") == b"NONE" and said.get("targets", 1) == 1
        return (list(coefficients), intercepts[0], None) if plain and len(coefficients) == columns else None
    labels = said.get("classlabels_ints") or [text.decode() for text in said.get("classlabels_strings") or []]
    if said.get("post_transform") != b"LOGISTIC" or len(labels) != 2 or len(coefficients) != 2 * columns:
        return None
    first, second = coefficients[:columns], coefficients[columns:]
    if [-value for value in first] != list(second) or -intercepts[0] != intercepts[1]:
        return None
    return list(second), intercepts[1], labels
