import io
import os
import pickle
from pathlib import Path

import joblib
import numpy as np
import onnx
import pandas as pd
import pytest
import skops.io
from onnx import TensorProto, helper
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.svm import LinearSVC

from models_store.actions.promote import promote
from models_store.actions.register_file import register_file
from models_store.adapters.artefacts import read_artefact
from models_store.adapters.schema_files import read_schema
from models_store.errors import (
    BadSpecError,
    BadVersionError,
    ModelFileError,
    ModelFileRefusedError,
    ModelFileTooLargeError,
    PickleRefusedError,
)
from models_store.models import AuditEntry, ModelVersion, RegisteredModel
from tests.models_store.made import Calls, classifier, nan_regressor

ROWS = np.random.default_rng(0).normal(size=(60, 3))
LABELS = np.where(ROWS[:, 0] > 0, "late", "on time")


@pytest.fixture
def given(store, tmp_path):
    """Return a function that writes a file to be registered."""

    def write(name: str, content: bytes) -> Path:
        (tmp_path / "given").mkdir(exist_ok=True)
        path = tmp_path / "given" / name
        path.write_bytes(content)
        return path

    return write


def pickled(model) -> bytes:
    blob = io.BytesIO()
    joblib.dump(model, blob)
    return blob.getvalue()


def registered(path: Path, **options) -> ModelVersion:
    return register_file("late", path, **{"actor": "cli:tests", **options}).version


def names(version: ModelVersion) -> list[str]:
    return [column["name"] for column in version.input_schema]


def test_graph_is_taken_as_it_is(given):
    version = registered(given("m.onnx", classifier()))
    assert (version.engine, version.estimator) == ("onnx", "onnx (tests)")
    assert names(version) == ["f0", "f1"]
    assert version.output_schema == {"task": "classification", "classes": [0, 1]}
    assert read_artefact(version).files == {"model.onnx": classifier()}
    assert version.params["source"]["file"] == "m.onnx"


def test_registered_graph_can_be_promoted(given):
    registered(given("m.onnx", classifier()))
    assert promote("late@1", target_stage="production", reason="ours", actor="cli:tests").state == "applied"


def test_graph_keeps_a_given_schema(given):
    version = registered(given("m.onnx", classifier()), columns=[{"name": "a", "min": 0}, {"name": "b"}])
    assert names(version) == ["a", "b"]
    assert version.input_schema[0]["min"] == 0


def graph(inputs: dict[str, tuple[int, list]], outputs: dict[str, tuple[int, list]], nodes: list, **options) -> bytes:
    def info(values):
        return [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in values.items()]

    made = helper.make_graph(nodes, "g", info(inputs), info(outputs), **options)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(made, opset_imports=opsets, ir_version=9).SerializeToString()


FLOAT, TEXT, INT = TensorProto.FLOAT, TensorProto.STRING, TensorProto.INT64


def test_named_inputs_become_columns(given):
    blob = graph(
        {"a": (FLOAT, [None, 1]), "b": (FLOAT, [None, 1])},
        {"variable": (FLOAT, [None, 1])},
        [helper.make_node("Add", ["a", "b"], ["variable"])],
    )
    version = registered(given("m.onnx", blob))
    assert (names(version), version.output_schema["task"]) == (["a", "b"], "regression")


def test_classes_come_from_maps_of_probabilities(given):
    nodes = [
        helper.make_node(
            "LinearClassifier",
            ["X"],
            ["label", "scores"],
            domain="ai.onnx.ml",
            coefficients=[-1.0, 1.0],
            intercepts=[0.0, 0.0],
            classlabels_strings=["late", "on time"],
            post_transform="LOGISTIC",
        ),
        helper.make_node("ZipMap", ["scores"], ["maps"], domain="ai.onnx.ml", classlabels_strings=["late", "on time"]),
    ]
    model = onnx.load_from_string(graph({"X": (FLOAT, [None, 1])}, {"label": (TEXT, [None])}, nodes))
    maps = helper.make_map_type_proto(TEXT, helper.make_tensor_type_proto(FLOAT, []))
    model.graph.output.append(helper.make_value_info("maps", helper.make_sequence_type_proto(maps)))
    version = registered(given("m.onnx", model.SerializeToString()))
    assert version.output_schema["classes"] == ["late", "on time"]


IDENTITY = [helper.make_node("Identity", ["X"], ["Y"])]


@pytest.mark.parametrize(
    ("blob", "said"),
    [
        (b"no graph at all", "not a valid ONNX graph"),
        (b"\x08\x07", "not a valid ONNX graph"),
        (graph({"X": (INT, [None, None])}, {"Y": (INT, [None, None])}, IDENTITY), "give --n-features or --schema"),
        (graph({"X": (TensorProto.BOOL, [None, 2])}, {"Y": (TensorProto.BOOL, [None, 2])}, IDENTITY), "is tensor.bool"),
        (graph({"X": (FLOAT, [None, 2, 2])}, {"Y": (FLOAT, [None, 2, 2])}, IDENTITY), r"one \[None, 1\] input"),
        (graph({"X": (FLOAT, [None, 2])}, {"Y": (FLOAT, [None, 2])}, IDENTITY), "one number per row"),
        (graph({"X": (FLOAT, [None, 9999])}, {"Y": (FLOAT, [None, 9999])}, IDENTITY), "may take 2000 features"),
    ],
)
def test_graph_that_cannot_be_served_is_refused(given, blob, said):
    with pytest.raises(ModelFileError, match=said):
        registered(given("m.onnx", blob))
    assert not RegisteredModel.objects.exists()
    assert AuditEntry.objects.get().action == "register_file_refused"


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"n_features": 3}, ModelFileError, "takes 2 features, got 3"),
        ({"columns": [{"name": "a"}, {"name": "b", "dtype": "string"}]}, ModelFileError, "must be a number"),
        ({"columns": [{"name": "a"}], "n_features": 1}, BadVersionError, "not both"),
        ({"n_features": 0}, BadVersionError, "1 to 2000"),
        ({"task": "clustering"}, BadVersionError, "task must be"),
    ],
)
def test_options_that_do_not_fit_the_graph_are_refused(given, options, error, said):
    with pytest.raises(error, match=said):
        registered(given("m.onnx", classifier()), **options)


def test_regressor_taken_for_a_classifier_is_refused(given):
    with pytest.raises(ModelFileError, match="labels"):
        registered(given("m.onnx", nan_regressor()), task="classification")


def test_schema_that_does_not_name_the_inputs_is_refused(given):
    blob = graph({"a": (FLOAT, [None, 1])}, {"Y": (FLOAT, [None, 1])}, [helper.make_node("Neg", ["a"], ["Y"])])
    assert names(registered(given("m.onnx", blob), columns=[{"name": "a", "max": 3}])) == ["a"]
    with pytest.raises(ModelFileError, match="must hold the graph's inputs"):
        registered(given("m.onnx", blob), columns=[{"name": "b"}])


def test_pickle_without_leave_is_not_opened(given):
    with pytest.raises(PickleRefusedError, match="--allow-pickle"):
        registered(given("m.joblib", b"whatever"))
    assert AuditEntry.objects.get().after["code"] == "pickle_refused"


@pytest.mark.parametrize(
    ("name", "content", "error", "said"),
    [
        ("m.h5", b"x", ModelFileError, "ends in .onnx"),
        ("m.onnx", b"", ModelFileError, "is empty"),
        ("m.onnx", bytes(2**20 + 1), ModelFileTooLargeError, "max_artefact_mb"),
    ],
)
def test_file_of_another_kind_or_size_is_refused(given, configure, name, content, error, said):
    configure("model", max_artefact_mb=1)
    with pytest.raises(error, match=said):
        registered(given(name, content))


def test_missing_file_and_impossible_name_are_refused(store, tmp_path):
    with pytest.raises(ModelFileError, match="No such file"):
        registered(tmp_path / "none.onnx")
    with pytest.raises(BadSpecError):
        register_file("../late", tmp_path / "none.onnx", actor="cli:tests")


def test_pickle_with_leave_is_converted(given, store):
    frame = pd.DataFrame(ROWS, columns=["a", "b", "c"]).assign(word=np.where(ROWS[:, 1] > 0, "x", "y"))
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    columns = make_column_transformer((SimpleImputer(), ["a", "b", "c"]), (encoder, ["word"]))
    blob = pickled(make_pipeline(columns, LogisticRegression()).fit(frame, LABELS))
    schema = [{"name": name} for name in "abc"] + [{"name": "word", "dtype": "string", "allowed": ["x", "y"]}]
    version = registered(given("m.joblib", blob), columns=schema, allow_pickle=True)
    assert (version.engine, version.engine_reason, version.estimator) == ("onnx", "", "Pipeline")
    assert version.output_schema["classes"] == ["late", "on time"]
    assert read_artefact(version).files["model.joblib"] == blob
    assert promote("late@1", target_stage="production", reason="ours", actor="cli:tests").state == "applied"
    assert (store / "models" / "late" / "production" / "model.joblib").read_bytes() == blob


def test_pickle_that_does_not_convert_is_served_by_its_library(given):
    version = registered(given("m.pkl", pickle.dumps(LinearSVC().fit(ROWS, LABELS))), allow_pickle=True)
    assert version.engine == "sklearn"
    assert "no probabilities" in version.engine_reason
    assert names(version) == ["f0", "f1", "f2"]
    done = promote("late@1", target_stage="production", reason="ours", actor="cli:tests")
    assert {found.gate: found.observed for found in done.gates}["smoke_prediction_finite"] == "5 rows, all finite"


def test_skops_file_is_opened_without_leave(given, tmp_path):
    skops.io.dump(Ridge().fit(ROWS, ROWS[:, 0]), tmp_path / "m.skops")
    version = registered(tmp_path / "m.skops", task="regression")
    assert (version.engine, version.output_schema) == ("onnx", {"task": "regression", "classes": []})
    assert set(read_artefact(version).files) == {"model.onnx", "model.joblib", "model.skops"}


def test_file_that_holds_no_model_is_refused(given):
    with pytest.raises(ModelFileError, match="classifier or regressor is needed, the file holds a dict"):
        registered(given("m.pkl", pickle.dumps({"not": "a model"})), allow_pickle=True)


def test_hostile_pickle_is_refused_and_audited(given, tmp_path):
    mark = tmp_path / "mark"
    with pytest.raises(ModelFileRefusedError, match=r"posix\.system, which is outside the allow list"):
        registered(given("m.joblib", pickled(Calls(os.system, f"touch {mark}"))), allow_pickle=True)
    assert not mark.exists()
    assert not ModelVersion.objects.exists()
    assert AuditEntry.objects.get().after["code"] == "model_file_refused"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "not YAML"),
        ("text", "list of columns"),
        ("columns: 3", "list of columns"),
        ("- {dtype: number}", "name"),
    ],
)
def test_schema_file_with_a_fault_is_refused(tmp_path, text, said):
    (tmp_path / "schema.yaml").write_text(text)
    with pytest.raises(BadVersionError, match=said):
        read_schema(tmp_path / "schema.yaml")


def test_schema_file_is_a_list_or_a_mapping(tmp_path):
    path = tmp_path / "schema.yaml"
    for text in ("- {name: a}", "columns: [{name: a}]"):
        path.write_text(text)
        assert read_schema(path)[0]["name"] == "a"
    with pytest.raises(BadVersionError, match="can't read"):
        read_schema(tmp_path / "none.yaml")
