"""Turn a fitted pipeline into an ONNX graph, and let it pass only if it says the same."""

import copy
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from skl2onnx.common.exceptions import MissingConverter, MissingShapeCalculator
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from features.ground.errors import bounded
from pipeline.core.preprocessing import Features
from predictions.adapters.linear import graph_runtime
from predictions.adapters.runtime import Scores, SklearnRuntime
from predictions.core.inputs import Columns
from predictions.errors import ModelLoadError, ScoringError

PARITY_ROWS = 10_000
UNSEEN_TEXT = "(a text training never saw)"
Schema = Sequence[Mapping[str, Any]]
# What skl2onnx raises for a model it has no form for is not one class; NotImplementedError is a RuntimeError.
_CONVERSION_ERRORS = (RuntimeError, ValueError, TypeError, KeyError, IndexError, AttributeError)


@dataclass(frozen=True, kw_only=True, slots=True)
class Export:
    """A graph that agrees with its pipeline, or why there is none."""

    blob: bytes | None
    reason: str
    rows: int = 0
    largest_difference: float | None = None
    flipped: int = 0


def export(
    pipeline: Pipeline,
    saved: bytes,
    features: Features,
    rows: pd.DataFrame,
    *,
    input_schema: Schema,
    output_schema: Mapping[str, Any],
    tolerance: float,
) -> Export:
    """Convert the pipeline and compare the graph with the saved pipeline, both as they will be served.

    `saved` is the pipeline as the bytes of model.joblib. The rows compared are up to 10,000 of `rows`, spread evenly,
    and some that probe the edges: nothing but missing values, and texts that training never saw.
    """
    try:
        blob = _converted(pipeline, features)
    except (MissingConverter, MissingShapeCalculator):
        return Export(blob=None, reason=f"skl2onnx has no form for {type(pipeline[-1]).__name__}")
    except _CONVERSION_ERRORS as error:
        text = " ".join(str(error).split())
        return Export(blob=None, reason=bounded(f"no ONNX form: {type(error).__name__}: {text}", 500))
    columns = parity_columns(rows, features)
    try:
        want = SklearnRuntime(saved, input_schema, output_schema).score(columns)
        got = graph_runtime(blob, input_schema, output_schema).score(columns)
    except (ModelLoadError, ScoringError) as error:
        return Export(blob=None, reason=bounded(f"it can't be asked: {error.message}", 500))
    return _judged(blob, want, got, tolerance)


def _converted(pipeline: Pipeline, features: Features) -> bytes:
    inputs = _inputs(features)
    portable = _portable(pipeline, features)
    classifies = hasattr(portable[-1], "predict_proba")
    options = {id(portable): {"zipmap": False}} if classifies else None
    with warnings.catch_warnings():
        # Deprecations inside the converter; the graph is judged by its answers.
        warnings.simplefilter("ignore")
        graph = to_onnx(portable, initial_types=inputs, options=options)
    if features.categorical:
        _rename_inputs(graph.graph, {f"input_{position}": name for position, name in enumerate(features.names)})
    blob: bytes = graph.SerializeToString()
    return blob


def _inputs(features: Features) -> list[tuple[str, Any]]:
    """Return the inputs of the graph: one matrix of numbers, which is asked fastest, or one per column beside texts."""
    if not features.categorical:
        return [("input", FloatTensorType([None, len(features.names)]))]
    texts, number = StringTensorType([None, 1]), FloatTensorType([None, 1])
    return [
        (f"input_{position}", texts if name in features.categorical else number)
        for position, name in enumerate(features.names)
    ]


def _portable(pipeline: Pipeline, features: Features) -> Pipeline:
    """Return the pipeline without the steps that a graph's inputs make needless, its columns by position.

    A graph takes float32 and the empty text, so rounding and filling are done before it; skl2onnx knows no form for
    them, but it does for a function transformer without a function.
    """
    twin = copy.deepcopy(pipeline)
    prepare: ColumnTransformer = twin.named_steps["prepare"]
    prepare.transformers_ = [
        (name, _without_functions(steps), [features.names.index(column) for column in columns])
        for name, steps, columns in prepare.transformers_
    ]
    return twin


def _without_functions(steps: Pipeline) -> Pipeline:
    return Pipeline(
        [(name, FunctionTransformer() if isinstance(step, FunctionTransformer) else step) for name, step in steps.steps]
    )


def _rename_inputs(graph: Any, names: Mapping[str, str]) -> None:
    """Give the inputs the columns' own names, which the converter would have turned into identifiers.

    Whatever else in the graph bears the name of a column is given another one.
    """
    inner = {name for node in graph.node for name in (*node.input, *node.output)} - set(names)
    taken = inner | set(names.values())
    new = dict(names)
    for name in sorted(inner & set(names.values())):
        new[name] = next(free for free in (f"{name}_{number}" for number in count()) if free not in taken)
        taken.add(new[name])
    for node in graph.node:
        node.input[:] = [new.get(name, name) for name in node.input]
        node.output[:] = [new.get(name, name) for name in node.output]
    for value in (*graph.input, *graph.output, *graph.initializer, *graph.value_info):
        value.name = new.get(value.name, value.name)


def parity_columns(rows: pd.DataFrame, features: Features) -> Columns:
    """Return the rows to compare on, in the form the runtimes take."""
    spread = np.unique(np.linspace(0, len(rows) - 1, min(len(rows), PARITY_ROWS)).astype(int))
    chosen = rows.iloc[spread]
    columns: dict[str, npt.NDArray[Any]] = {}
    for name in features.names:
        values = chosen[name]
        if name in features.categorical:
            texts = values.astype(object).where(values.notna(), None).to_numpy(object)
            columns[name] = np.concatenate([texts, np.array([None, UNSEEN_TEXT], dtype=object)])
        else:
            numbers = values.to_numpy(np.float64)
            columns[name] = np.concatenate([numbers, [np.nan, numbers[0]]])
    return columns


def _judged(blob: bytes, want: Scores, got: Scores, tolerance: float) -> Export:
    rows = len(want.predictions)
    if want.probabilities is not None:
        # A graph without probabilities becomes NaN here, which passes no comparison.
        given = np.asarray(got.probabilities, dtype=np.float64)
        difference = float(np.abs(given - want.probabilities).max())
        flipped = sum(a != b for a, b in zip(got.predictions, want.predictions, strict=True))
    else:
        wanted, given = np.array(want.predictions, float), np.array(got.predictions, float)
        # float32 has 7 digits whatever the target's unit, so the difference is judged against the largest value.
        difference, flipped = float(np.abs(given - wanted).max() / max(1.0, np.abs(wanted).max())), 0
    measured: dict[str, Any] = {"rows": rows, "largest_difference": difference, "flipped": flipped}
    if difference <= tolerance and not flipped:
        return Export(blob=blob, reason="", **measured)
    reason = (
        f"ONNX differs from scikit-learn by {difference:.2g} (allowed {tolerance:g}) in {rows} rows, "
        f"{flipped} of them with another class"
    )
    return Export(blob=None, reason=reason, **measured)
