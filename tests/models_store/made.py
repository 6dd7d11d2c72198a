"""Small real models, registered through the registry's own actions."""

from functools import lru_cache
from typing import Any

import onnx
from onnx import TensorProto, helper

from models_store.actions.register_version import NewVersion, register_version
from models_store.core.policy import Policy
from models_store.models import ModelVersion

SCHEMA: list[dict[str, Any]] = [{"name": "length"}, {"name": "width", "min": 0, "max": 10}]
OUTPUT = {"task": "classification", "classes": [0, 1]}
GOOD = {
    "test": {"log_loss": 0.4, "roc_auc": 0.8, "calibration_error": 0.02},
    "baseline": {"log_loss": 0.6, "roc_auc": 0.5},
    "linear_baseline": {"log_loss": 0.45},
}


@lru_cache
def classifier(weight: float = 1.0) -> bytes:
    """Return a graph that takes one matrix of two numbers and gives a label and two probabilities."""
    node = helper.make_node(
        "LinearClassifier",
        ["X"],
        ["label", "probabilities"],
        domain="ai.onnx.ml",
        coefficients=[-weight, -1.0, weight, 1.0],
        intercepts=[0.0, 0.0],
        classlabels_ints=[0, 1],
        post_transform="LOGISTIC",
    )
    outputs = [
        helper.make_tensor_value_info("label", TensorProto.INT64, [None]),
        helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, 2]),
    ]
    return _graph([node], [helper.make_tensor_value_info("X", TensorProto.FLOAT, [None, 2])], outputs)


@lru_cache
def nan_regressor() -> bytes:
    """Return a graph whose every answer is NaN: the logarithm of minus one."""
    nodes = [
        helper.make_node("ReduceSum", ["X", "axes"], ["sum"], keepdims=1),
        helper.make_node("Mul", ["sum", "zero"], ["nothing"]),
        helper.make_node("Add", ["nothing", "minus_one"], ["negative"]),
        helper.make_node("Log", ["negative"], ["variable"]),
    ]
    constants = [
        helper.make_tensor("axes", TensorProto.INT64, [1], [1]),
        helper.make_tensor("zero", TensorProto.FLOAT, [1], [0.0]),
        helper.make_tensor("minus_one", TensorProto.FLOAT, [1], [-1.0]),
    ]
    outputs = [helper.make_tensor_value_info("variable", TensorProto.FLOAT, [None, 1])]
    return _graph(nodes, [helper.make_tensor_value_info("X", TensorProto.FLOAT, [None, 2])], outputs, constants)


def _graph(nodes: list[Any], inputs: list[Any], outputs: list[Any], constants: list[Any] | None = None) -> bytes:
    graph = helper.make_graph(nodes, "made", inputs, outputs, initializer=constants or [])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    model = helper.make_model(graph, opset_imports=opsets, producer_name="tests", ir_version=9)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def new_version(model: str = "flights", **changes: Any) -> NewVersion:
    """Return what a training run would hand in."""
    given: dict[str, Any] = {
        "model": model,
        "task": "classification",
        "primary_metric": "log_loss",
        "files": {"model.onnx": classifier(), "model.joblib": b"a pickle nobody opens"},
        "estimator": "logistic_regression",
        "engine": "onnx",
        "input_schema": SCHEMA,
        "output_schema": OUTPUT,
        "metrics": GOOD,
        "code_version": "abc",
        "environment_digest": "e" * 64,
        "actor": "cli:tests",
    }
    return NewVersion(**{**given, **changes})


def made(model: str = "flights", **changes: Any) -> ModelVersion:
    """Register a version."""
    return register_version(new_version(model, **changes))


def no_gates() -> Policy:
    """Return a policy that looks at the artefact alone."""
    return Policy(stages={"production": [], "canary": [], "shadow": [], "rollback": []})


class Calls:
    """An object that pickles into a call."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call
