"""A graph is served only if it says what the saved pipeline says."""

import io
from typing import Any

import joblib
import numpy as np
import onnxruntime
import pytest

from pipeline.adapters.onnx_export import Export, export, parity_columns
from pipeline.core.training import TrainedModel, train_on
from pipeline.core.training_plan import TrainingPlan
from pipeline.core.training_schema import input_schema, output_schema
from tests.pipeline.training_data import Columns, flights, table_of


def exported(data: tuple[Any, Columns], tolerance: float = 1e-5, **plan: Any) -> tuple[TrainedModel, Export]:
    model = train_on(*data, TrainingPlan(**plan))
    return model, compared(model, data[1], model.classes, tolerance)


def compared(model: TrainedModel, columns: Columns, classes: list[Any], tolerance: float = 1e-5) -> Export:
    buffer = io.BytesIO()
    joblib.dump(model.pipeline, buffer)
    return export(
        model.pipeline,
        buffer.getvalue(),
        model.features,
        model.test,
        input_schema=input_schema(columns, model.features),
        output_schema=output_schema(model.task, classes),
        tolerance=tolerance,
    )


@pytest.mark.parametrize(
    ("estimator", "target"),
    [
        ("logistic_regression", "late"),
        ("logistic_regression", "how_late"),
        ("hist_gradient_boosting", "late"),
        ("hist_gradient_boosting", "stars"),
        ("hist_gradient_boosting", "delay"),
        ("random_forest", "late"),
        ("random_forest", "delay"),
        ("extra_trees", "how_late"),
        ("k_neighbors", "late"),
        ("ridge", "delay"),
    ],
)
def test_graph_agrees_with_the_pipeline(estimator: str, target: str) -> None:
    _, result = exported(flights(300, target=target), estimator=estimator)
    assert result.reason == ""
    assert result.blob
    assert result.rows == 62
    assert result.largest_difference is not None
    assert result.largest_difference < 1e-5


def test_a_graph_of_numbers_alone_takes_them_as_one_matrix() -> None:
    draw = np.random.default_rng(0)
    data = {name: draw.normal(size=80) for name in ("a", "input", "c")} | {"y": draw.random(80) > 0.5}
    _, result = exported(table_of(data, y="target"), estimator="logistic_regression")
    assert result.reason == ""
    session = onnxruntime.InferenceSession(result.blob, providers=["CPUExecutionProvider"])
    assert [(node.name, node.shape[1]) for node in session.get_inputs()] == [("input", 3)]


def test_graphs_inputs_bear_the_columns_names_even_those_of_its_outputs() -> None:
    draw = np.random.default_rng(0)
    names = ["label", "probabilities", "größe (cm)", "input_1", "variable"]
    data = {name: draw.normal(size=80) for name in names[:-1]}
    data |= {"variable": draw.choice(["a", "b"], 80), "y": draw.random(80) > 0.5}
    _, result = exported(table_of(data, y="target"), estimator="logistic_regression")
    assert result.reason == ""
    session = onnxruntime.InferenceSession(result.blob, providers=["CPUExecutionProvider"])
    assert [node.name for node in session.get_inputs()] == names
    assert {node.name for node in session.get_outputs()}.isdisjoint(names)


def test_model_without_an_onnx_form_says_so() -> None:
    _, result = exported(flights(100), estimator="dummy")
    assert result.blob is None
    assert result.reason == "skl2onnx has no form for DummyClassifier"


def test_model_that_misses_parity_says_by_how_much() -> None:
    _, result = exported(flights(300), tolerance=1e-12, estimator="logistic_regression")
    assert result.blob is None
    assert result.reason.startswith("ONNX differs from scikit-learn by ")
    assert result.reason.endswith("(allowed 1e-12) in 62 rows, 0 of them with another class")


def test_rounding_on_a_trees_threshold_flips_nothing() -> None:
    # Neighbouring doubles that one float32 stands for: rounding after the fit would move rows across thresholds.
    base = 16_777_216.0 + np.arange(400) * 0.25
    data = table_of({"x": base, "y": np.arange(400) % 8 < 4}, y="target")
    _, result = exported(data, estimator="random_forest", split="random")
    assert result.reason == ""


def test_parity_is_tried_on_missing_values_and_on_texts_never_seen() -> None:
    model, _ = exported(flights(100), estimator="dummy")
    columns = parity_columns(model.test, model.features)
    assert columns["carrier"].tolist()[-2:] == [None, "(a text training never saw)"]
    assert np.isnan(columns["wind (kt)"][-2])
    assert len(columns["hour"]) == 22


def test_model_the_converter_fails_on_says_how() -> None:
    _, result = exported(flights(100), estimator="k_neighbors", params={"metric": "canberra"})
    assert result.blob is None
    assert result.reason.startswith("no ONNX form: ")


def test_model_whose_graph_can_not_be_asked_says_so() -> None:
    data = flights(100, target="how_late")
    model = train_on(*data, TrainingPlan(estimator="logistic_regression"))
    result = compared(model, data[1], ["other", "labels"])
    assert result.blob is None
    assert result.reason.startswith("it can't be asked: the model answered a class its schema does not list")
