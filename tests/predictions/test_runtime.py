"""The two runtimes give the labels of training, the same for a row alone and among others."""

import io
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from skl2onnx import convert_sklearn, to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from predictions.adapters.runtime import Columns, OnnxRuntime, SklearnRuntime
from predictions.errors import ModelLoadError, ScoringError

NUMBERS = [{"name": "a", "dtype": "number"}, {"name": "b", "dtype": "number"}]
MIXED = [*NUMBERS, {"name": "c", "dtype": "string"}]
RANDOM = np.random.default_rng(3)
FRAME: Columns = {
    "a": RANDOM.normal(size=50),
    "b": RANDOM.normal(size=50),
    "c": np.array(["x", "y"] * 25, dtype=object),
}


def fitted(target: Any, estimator: Any = None) -> Any:
    steps = ColumnTransformer(
        [("n", StandardScaler(), ["a", "b"]), ("c", OneHotEncoder(handle_unknown="ignore"), ["c"])]
    )
    return make_pipeline(steps, estimator if estimator is not None else LogisticRegression()).fit(
        pd.DataFrame(FRAME), target
    )


def onnx_bytes(pipeline: Any, types: Any = None, **options: Any) -> bytes:
    types = types or [
        ("a", FloatTensorType([None, 1])),
        ("b", FloatTensorType([None, 1])),
        ("c", StringTensorType([None, 1])),
    ]
    return convert_sklearn(pipeline, initial_types=types, target_opset=17, **options).SerializeToString()


def joblib_bytes(pipeline: Any) -> bytes:
    buffer = io.BytesIO()
    joblib.dump(pipeline, buffer)
    return buffer.getvalue()


def classification(*classes: Any) -> dict[str, Any]:
    return {"task": "classification", "classes": list(classes)}


@pytest.mark.parametrize("labels", [(False, True), ("no", "yes"), (3, 7), (0.0, 1.0)])
def test_scores_hold_the_original_labels_when_classes_are_of_any_type(labels: tuple[Any, Any]) -> None:
    target = np.array(labels)[(FRAME["a"] > 0).astype(int)]
    pipeline = fitted(target)
    blob = onnx_bytes(pipeline, options={id(pipeline): {"zipmap": False}})
    ours = OnnxRuntime(blob, MIXED, classification(*labels)).score(FRAME)
    theirs = SklearnRuntime(joblib_bytes(pipeline), MIXED, classification(*labels)).score(FRAME)
    assert ours.predictions == theirs.predictions
    assert set(map(type, ours.predictions)) == {type(labels[0])}
    assert np.allclose(ours.probabilities, theirs.probabilities, atol=1e-5)


def test_a_row_scores_the_same_bits_when_it_stands_alone() -> None:
    pipeline = fitted(FRAME["a"] > 0)
    runtime = OnnxRuntime(onnx_bytes(pipeline, options={id(pipeline): {"zipmap": False}}), MIXED, classification(0, 1))
    together = runtime.score(FRAME).probabilities
    for row in range(5):
        alone = runtime.score({name: values[row : row + 1] for name, values in FRAME.items()}).probabilities
        assert alone.tobytes() == together[row : row + 1].tobytes()


def test_a_matrix_graph_is_fed_all_columns_and_its_maps_become_an_array() -> None:
    pipeline = LogisticRegression().fit(np.stack([FRAME["a"], FRAME["b"]], axis=1), (FRAME["a"] > 0).astype(int))
    blob = onnx_bytes(pipeline, [("X", FloatTensorType([None, 2]))])
    scores = OnnxRuntime(blob, NUMBERS, classification(0, 1)).score(FRAME)
    assert scores.probabilities.shape == (50, 2)
    assert scores.predictions[0] in (0, 1)


def test_a_regression_scores_values_and_no_probabilities() -> None:
    pipeline = fitted(FRAME["a"] * 2, LinearRegression())
    ours = OnnxRuntime(onnx_bytes(pipeline), MIXED, {"task": "regression"}).score(FRAME)
    theirs = SklearnRuntime(joblib_bytes(pipeline), MIXED, {"task": "regression"}).score(FRAME)
    assert ours.probabilities is theirs.probabilities is None
    assert np.allclose(ours.predictions, theirs.predictions, atol=1e-5)


def test_more_rows_than_one_batch_score_in_order() -> None:
    pipeline = fitted(FRAME["a"] * 2, LinearRegression())
    many = {name: np.tile(values, 21) for name, values in FRAME.items()}
    runtime = OnnxRuntime(onnx_bytes(pipeline), MIXED, {"task": "regression"})
    assert runtime.score(many).predictions == runtime.score(FRAME).predictions * 21


def test_missing_text_reaches_the_graph_as_empty_text() -> None:
    pipeline = fitted(FRAME["a"] > 0)
    runtime = OnnxRuntime(onnx_bytes(pipeline, options={id(pipeline): {"zipmap": False}}), MIXED, classification(0, 1))
    row = {"a": np.array([1.0]), "b": np.array([1.0])}
    missing = runtime.score(row | {"c": np.array([None], dtype=object)})
    empty = runtime.score(row | {"c": np.array([""], dtype=object)})
    assert missing.probabilities.tobytes() == empty.probabilities.tobytes()


def test_no_rows_give_no_predictions() -> None:
    pipeline = fitted(FRAME["a"] > 0)
    none = {name: values[:0] for name, values in FRAME.items()}
    blob = onnx_bytes(pipeline, options={id(pipeline): {"zipmap": False}})
    assert OnnxRuntime(blob, MIXED, classification(0, 1)).score(none).predictions == []
    assert SklearnRuntime(joblib_bytes(pipeline), MIXED, classification(0, 1)).score(none).predictions == []


def test_a_pipeline_runs_on_one_thread_when_loaded() -> None:
    pipeline = fitted(FRAME["a"] > 0, RandomForestClassifier(5, n_jobs=2))
    runtime = SklearnRuntime(joblib_bytes(pipeline), MIXED, classification(False, True))
    assert runtime._estimator.get_params()["randomforestclassifier__n_jobs"] == 1


@pytest.mark.parametrize("runtime", [OnnxRuntime, SklearnRuntime])
def test_load_is_refused_when_the_bytes_are_no_model(runtime: Any) -> None:
    with pytest.raises(ModelLoadError, match="does not load"):
        runtime(b"nonsense", MIXED, classification(0, 1))


def test_load_is_refused_when_the_graph_has_other_inputs() -> None:
    pipeline = fitted(FRAME["a"] * 2, LinearRegression())
    with pytest.raises(ModelLoadError, match="neither the schema's columns nor one matrix"):
        OnnxRuntime(onnx_bytes(pipeline), NUMBERS, {"task": "regression"})


def test_an_unlisted_class_is_an_error() -> None:
    pipeline = fitted(FRAME["a"] > 0)
    with pytest.raises(ScoringError, match="does not list"):
        SklearnRuntime(joblib_bytes(pipeline), MIXED, classification("no", "yes")).score(FRAME)


WIDE = [{"name": f"n{place}", "dtype": "number"} for place in range(7)]
TREES = {
    "forest": RandomForestClassifier(30, random_state=0),
    "many classes": RandomForestClassifier(30, random_state=1),
    "boosted": HistGradientBoostingClassifier(max_iter=30, random_state=0),
    "trees of a regression": RandomForestRegressor(30, random_state=0),
    "boosted regression": HistGradientBoostingRegressor(max_iter=30, random_state=0),
    "linear": LogisticRegression(),
}


@pytest.mark.parametrize("kind", TREES)
def test_a_row_of_numbers_asked_as_it_is_gets_the_bits_it_has_among_others(kind: str) -> None:
    draw = np.random.default_rng(5)
    rows = draw.normal(scale=40.0, size=(1000, len(WIDE)))
    target = rows @ draw.normal(size=len(WIDE))
    classes = 3 if kind == "many classes" else 2
    labels = np.digitize(target, np.quantile(target, np.arange(1, classes) / classes))
    is_regression = "regression" in kind
    model = make_pipeline(StandardScaler(), clone(TREES[kind])).fit(
        rows[:300], target[:300] if is_regression else labels[:300]
    )
    options = None if is_regression else {id(model): {"zipmap": False}}
    graph = to_onnx(model, initial_types=[("x", FloatTensorType([None, len(WIDE)]))], options=options, target_opset=17)
    output = {"task": "regression"} if is_regression else classification(*range(classes))
    runtime = OnnxRuntime(graph.SerializeToString(), WIDE, output)
    assert runtime._is_by_row == (kind != "linear")
    together = runtime.score({f"n{place}": rows[:, place] for place in range(len(WIDE))})
    for place, row in enumerate(rows.tolist()):
        prediction, shares = runtime.score_row(row)
        assert prediction == together.predictions[place]
        if together.probabilities is not None:
            assert shares == together.probabilities[place].tolist()
    few = runtime.score({f"n{place}": rows[:3, place] for place in range(len(WIDE))})
    assert few.predictions == together.predictions[:3]
