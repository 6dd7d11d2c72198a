"""A linear graph is asked as a sum, which says what the graph says; any other is left to its engine."""

import io

import joblib
import numpy as np
import onnx
import pytest

from predictions.adapters.linear import LinearRuntime, graph_runtime
from predictions.adapters.runtime import OnnxRuntime
from predictions.core.graph_wire import read_graph
from predictions.core.linear_graph import linear_graph
from predictions.core.number_frame import Layout, NumberFrame
from tests.predictions.numbers import COLUMNS, OUTPUT, SCHEMA, drawn, trained

NAMES = [column["name"] for column in SCHEMA]


def frame(rows: list[list[float]]) -> NumberFrame:
    return NumberFrame(Layout(NAMES), np.array(rows))


@pytest.mark.parametrize("kind", ["logistic", "ridge"])
def test_the_sum_says_what_graph_and_pipeline_say(kind: str) -> None:
    files = trained(kind)
    ours = graph_runtime(files["model.onnx"], SCHEMA, OUTPUT[kind])
    assert isinstance(ours, LinearRuntime)
    rows = drawn(400)
    rows[3][2] = rows[4][7] = float("nan")
    got, graph = ours.score(frame(rows)), OnnxRuntime(files["model.onnx"], SCHEMA, OUTPUT[kind]).score(frame(rows))
    pipeline = joblib.load(io.BytesIO(files["model.joblib"]))
    if kind == "ridge":
        assert np.allclose(got.predictions, graph.predictions, rtol=0, atol=1e-3)
        assert np.allclose(got.predictions, pipeline.predict(np.array(rows)), rtol=0, atol=1e-3)
    else:
        assert got.predictions == graph.predictions
        assert np.abs(got.probabilities - graph.probabilities).max() < 1e-5
        assert np.abs(got.probabilities - pipeline.predict_proba(np.array(rows))).max() < 1e-5


@pytest.mark.parametrize("kind", ["logistic", "ridge"])
def test_a_row_gets_the_same_bits_alone_and_among_others(kind: str) -> None:
    ours = graph_runtime(trained(kind)["model.onnx"], SCHEMA, OUTPUT[kind])
    rows = drawn(200)
    rows[9][4] = float("nan")
    whole = ours.score(frame(rows))
    by_name = ours.score(dict(frame(rows)))
    for size in (1, 2, 7, 64):
        for start in range(0, 200, size):
            part = ours.score(frame(rows[start : start + size]))
            assert part.predictions == whole.predictions[start : start + size]
            if whole.probabilities is not None:
                assert part.probabilities.tobytes() == whole.probabilities[start : start + size].tobytes()
    assert by_name.predictions == whole.predictions


def test_a_forest_is_left_to_its_engine() -> None:
    blob = trained("forest")["model.onnx"]
    assert linear_graph(blob, COLUMNS) is None
    assert isinstance(graph_runtime(blob, SCHEMA, OUTPUT["forest"]), OnnxRuntime)


def test_a_graph_that_says_another_thing_is_left_to_its_engine() -> None:
    graph = onnx.load_from_string(trained("logistic")["model.onnx"])
    last = next(node for node in graph.graph.node if node.op_type == "LinearClassifier")
    chosen = next(attribute for attribute in last.attribute if attribute.name == "post_transform")
    chosen.s = b"SOFTMAX"
    assert linear_graph(graph.SerializeToString(), COLUMNS) is None


def test_steps_are_read_as_the_library_reads_them() -> None:
    blob = trained("logistic")["model.onnx"]
    wanted, found = onnx.load_from_string(blob).graph, read_graph(blob)
    assert [node.kind for node in found.nodes] == [node.op_type for node in wanted.node]
    for ours, theirs in zip(found.nodes, wanted.node, strict=True):
        assert (ours.inputs, ours.outputs) == (list(theirs.input), list(theirs.output))
        for attribute in theirs.attribute:
            if attribute.floats:
                assert ours.attributes[attribute.name] == list(attribute.floats)


@pytest.mark.parametrize("blob", [b"", b"no graph", b"\x3a\x05\x0a", b"\x3a\xff\xff\xff\x01\x00"])
def test_bytes_that_are_no_graph_are_none(blob: bytes) -> None:
    assert linear_graph(blob, COLUMNS) is None
