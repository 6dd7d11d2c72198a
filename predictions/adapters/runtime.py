"""The two ways a model is asked: an ONNX graph, or the scikit-learn pipeline itself."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import onnxruntime

from features.ground.late import joblib, pd
from predictions.core.graph_wire import read_graph
from predictions.core.inputs import Columns
from predictions.core.number_frame import NumberFrame
from predictions.core.threshold import labels_at
from predictions.errors import ModelLoadError, ScoringError

# Up to this many rows a graph was measured to give a row the same bits whatever stands beside it.
MAX_BATCH = 1000
_NUMPY = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(int64)": np.int64}
# Steps that give a row alone the bits it has among others: each takes cells or rows one by one, in one way.
_BY_ROW = frozenset(("Cast", "Imputer", "Scaler", "TreeEnsembleClassifier", "TreeEnsembleRegressor"))
# onnxruntime's exceptions share no base of their own.
_ONNX_ERRORS: tuple[type[Exception], ...] = (
    RuntimeError,
    ValueError,
    TypeError,
    *(
        kind
        for kind in vars(onnxruntime.capi.onnxruntime_pybind11_state).values()
        if isinstance(kind, type) and issubclass(kind, Exception)
    ),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Scores:
    """What a model said: labels or values as they were in training, and class probabilities if it has any."""

    predictions: list[Any]
    probabilities: npt.NDArray[np.floating[Any]] | None = None


class Runtime(Protocol):
    """Something that scores columns."""

    def score(self, frame: Columns) -> Scores:
        """Return one prediction per row."""
        ...


class Labels:
    """From a graph's or pipeline's answer to the JSON values of the output schema, by its threshold if it has one."""

    def __init__(self, output_schema: Mapping[str, Any]) -> None:
        self.classes = list(output_schema.get("classes") or ())
        self.threshold = output_schema.get("threshold")
        # A graph knows integers and text only: 1 stands for True and 1.0, and "7" may stand for 7.
        self._by_label = {str(label): label for label in self.classes} | {label: label for label in self.classes}

    def scores(self, labels: npt.NDArray[Any], shares: npt.NDArray[np.floating[Any]] | None) -> Scores:
        """Return labels by the model's own choice, or by the threshold."""
        if self.threshold is None:
            return Scores(predictions=self.original(labels), probabilities=shares)
        if shares is None:
            raise ScoringError("the model has a threshold and answered no probabilities to hold against it")
        return self.decided(shares)

    def decided(self, shares: npt.NDArray[np.floating[Any]]) -> Scores:
        """Return labels by the threshold."""
        return Scores(predictions=labels_at(shares, self.classes, float(self.threshold or 0)), probabilities=shares)

    def original(self, labels: npt.NDArray[Any]) -> list[Any]:
        """Return labels as they were in training."""
        values = labels.ravel().tolist()
        if not self.classes:
            return values
        try:
            return [self._by_label[value] for value in values]
        except KeyError as error:
            raise ScoringError(f"the model answered a class its schema does not list: {error}") from error


class OnnxRuntime:
    """An ONNX graph on one thread, with one input per column or one matrix of all of them.

    A missing text reaches the graph as the empty string, because ONNX has no missing text.
    """

    def __init__(
        self, blob: bytes, input_schema: Sequence[Mapping[str, Any]], output_schema: Mapping[str, Any]
    ) -> None:
        options = onnxruntime.SessionOptions()
        # More threads change the bits of an answer with the rows beside it.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(blob, options, providers=["CPUExecutionProvider"])
        except _ONNX_ERRORS as error:
            raise ModelLoadError(f"the ONNX graph does not load: {error}") from error
        self.names = [str(column["name"]) for column in input_schema]
        self._inputs = {node.name: node.type for node in self._session.get_inputs()}
        self._outputs = [node.name for node in self._session.get_outputs()]
        self._matrix = self._matrix_name()
        self._is_by_row = _is_by_row(blob)
        self._labels = Labels(output_schema)
        self._classifies = output_schema.get("task") == "classification"

    def _matrix_name(self) -> str | None:
        if set(self._inputs) == set(self.names):
            return None
        shapes = [node.shape for node in self._session.get_inputs()]
        if len(shapes) == 1 and len(shapes[0]) == 2 and shapes[0][1] in (len(self.names), None):
            return str(next(iter(self._inputs)))
        raise ModelLoadError(
            f"the graph's inputs {sorted(self._inputs)} are neither the schema's columns nor one matrix of "
            f"{len(self.names)} columns"
        )

    def score(self, frame: Columns) -> Scores:
        """Return one prediction per row; the answer for a row is the same alone and among others.

        Raises
        ------
        ScoringError
            If the graph refuses the values.
        """
        rows = len(next(iter(frame.values())))
        if 0 < rows <= MAX_BATCH:
            return self._run(frame, 0, rows)
        parts = [self._run(frame, start, min(start + MAX_BATCH, rows)) for start in range(0, rows, MAX_BATCH)]
        if not parts:
            return Scores(predictions=[])
        predictions = [value for part in parts for value in part.predictions]
        probabilities = [part.probabilities for part in parts if part.probabilities is not None]
        return Scores(predictions=predictions, probabilities=np.concatenate(probabilities) if probabilities else None)

    def _run(self, frame: Columns, start: int, stop: int) -> Scores:
        # A linear model alone gives other bits than among two or more, so one row is asked twice.
        index = slice(start, stop) if stop - start > 1 or self._is_by_row else [start, start]
        return self._ask(self._feeds(frame, index), stop - start)

    @property
    def takes_rows(self) -> bool:
        """Tell whether `score_row` may be asked: the graph takes one matrix of numbers."""
        return self._matrix is not None and self._inputs[self._matrix] in _NUMPY

    def score_row(self, cells: Sequence[float]) -> tuple[Any, Sequence[float] | None]:
        """Return the prediction for one row of numbers, and its shares; the bits are those of `score`.

        Raises
        ------
        ScoringError
            If the graph refuses the values.
        """
        name = self._matrix or ""
        # By way of doubles, as the cells of a frame.
        row = np.array(cells, dtype=np.float64).astype(_NUMPY[self._inputs[name]])
        scores = self._ask({name: row[np.newaxis] if self._is_by_row else np.stack((row, row))}, 1)
        shares = scores.probabilities
        return scores.predictions[0], None if shares is None else shares[0].tolist()

    def _ask(self, feeds: dict[str, npt.NDArray[Any]], rows: int) -> Scores:
        try:
            outputs = self._session.run(self._outputs, feeds)
        except _ONNX_ERRORS as error:
            raise ScoringError(f"the model refused the values: {error}") from error
        if not self._classifies:
            return Scores(predictions=np.asarray(outputs[0])[:rows].ravel().tolist())
        return self._labels.scores(np.asarray(outputs[0])[:rows], self._probabilities(outputs, rows))

    def _feeds(self, frame: Columns, index: Any) -> dict[str, npt.NDArray[Any]]:
        if self._matrix:
            dtype = _NUMPY[self._inputs[self._matrix]]
            if isinstance(frame, NumberFrame):
                return {self._matrix: frame.matrix[index].astype(dtype)}
            return {self._matrix: np.stack([frame[name][index] for name in self.names], axis=1).astype(dtype)}
        return {name: _tensor(frame[name][index], self._inputs[name]) for name in self.names}

    def _probabilities(self, outputs: list[Any], rows: int) -> npt.NDArray[np.floating[Any]] | None:
        if len(outputs) < 2:
            return None
        if isinstance(outputs[1], list):  # graphs made elsewhere often answer one map per row
            return np.array([list(row.values()) for row in outputs[1][:rows]], dtype=np.float32)
        return np.asarray(outputs[1])[:rows]


def _is_by_row(blob: bytes) -> bool:
    try:
        graph = read_graph(blob)
    except ValueError:
        return False
    return _BY_ROW.issuperset(node.kind for node in graph.nodes)


def _tensor(values: npt.NDArray[Any], kind: str) -> npt.NDArray[Any]:
    if kind == "tensor(string)":
        texts = ["" if value is None else value for value in values.tolist()]
        return np.array(texts, dtype=object).reshape(-1, 1)
    return values.astype(_NUMPY[kind]).reshape(-1, 1)


class SklearnRuntime:
    """A fitted scikit-learn pipeline that takes a data frame; `blob` must be verified bytes."""

    def __init__(
        self, blob: bytes, input_schema: Sequence[Mapping[str, Any]], output_schema: Mapping[str, Any]
    ) -> None:
        try:
            self._estimator = joblib.load(io.BytesIO(blob))
        except Exception as error:  # what a pickle of another library version raises has no bound
            raise ModelLoadError(f"the pipeline does not load: {type(error).__name__}: {error}") from error
        self.names = [str(column["name"]) for column in input_schema]
        self._text = {str(column["name"]) for column in input_schema if column["dtype"] == "string"}
        self._labels = Labels(output_schema)
        self._classifies = output_schema.get("task") == "classification"
        _use_one_thread(self._estimator)

    def score(self, frame: Columns) -> Scores:
        """Return one prediction per row.

        Raises
        ------
        ScoringError
            If the pipeline refuses the values.
        """
        table = pd.DataFrame(
            {
                name: pd.array(frame[name], dtype="str") if name in self._text else frame[name].astype(np.float64)
                for name in self.names
            }
        )
        if table.empty:
            return Scores(predictions=[])
        try:
            answer = np.asarray(self._estimator.predict(table))
            if not self._classifies:
                return Scores(predictions=answer.ravel().tolist())
            shares = self._estimator.predict_proba(table) if hasattr(self._estimator, "predict_proba") else None
        except (ValueError, TypeError, KeyError, ArithmeticError, AttributeError) as error:
            raise ScoringError(f"the model refused the values: {error}") from error
        return self._labels.scores(answer, shares)


def _use_one_thread(estimator: Any) -> None:
    if hasattr(estimator, "get_params"):
        threads = {key: 1 for key in estimator.get_params() if key == "n_jobs" or key.endswith("__n_jobs")}
        estimator.set_params(**threads)
