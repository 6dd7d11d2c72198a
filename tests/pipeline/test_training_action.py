"""Training from a dataset to a registered, signed version."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from django.conf import settings

from features.actions.ingest import ingest
from features.actions.take_snapshot import take_snapshot
from features.adapters.snapshots import read_snapshot
from features.core.schema import ColumnRoles
from features.errors import UnknownDatasetError
from features.models import FeatureSnapshot
from mlsite.config.schema import ROOT, TrainingConfig
from models_store.adapters.artefacts import read_artefact
from models_store.errors import BadSpecError
from models_store.models import AuditEntry, ModelVersion
from pipeline.actions.score import score
from pipeline.actions.train import TrainResult, train
from pipeline.actions.train_request import TrainRequest
from pipeline.core.training_errors import (
    InvalidTrainingRequestError,
    ModelTaskError,
    NotReproducibleError,
    UnknownSnapshotError,
    UnknownTargetError,
)
from predictions.actions.log_predictions import flush_log
from predictions.actions.predict import PredictRequest, predict
from predictions.adapters.runtime import OnnxRuntime, SklearnRuntime
from tests.pipeline.training_data import fingerprint, flights

pytestmark = pytest.mark.django_db(transaction=True)
ACTOR = "cli:ann"


@pytest.fixture
def dataset(var_dir: Path, tmp_path: Path) -> str:
    """Ingest flights with a target and a timestamp."""
    table, _ = flights(300)
    pq.write_table(table, tmp_path / "flights.parquet")
    roles = ColumnRoles(target="late", timestamp="departs")
    ingest("flights", [tmp_path / "flights.parquet"], actor=ACTOR, roles=roles)
    return "flights"


def trained(**request: Any) -> TrainResult:
    given = {"model": "delays", "dataset": "flights", "estimator": "logistic_regression"} | request
    return train(TrainRequest(**given), actor=ACTOR)


def test_train_registers_a_candidate_with_all_that_is_known_of_it(dataset: str) -> None:
    steps: list[int] = []
    request = TrainRequest(
        model="delays", dataset=dataset, estimator="logistic_regression", slices=("carrier",), seed=3
    )
    result = train(request, actor=ACTOR, report=lambda percent, step: steps.append(percent))
    version = ModelVersion.objects.resolve("delays@1")
    assert (result.version, result.stage, result.engine, result.engine_reason) == (1, "candidate", "onnx", "")
    assert (version.stage, version.estimator, version.actor) == ("candidate", "logistic_regression", ACTOR)
    assert version.snapshot_id == result.snapshot
    assert version.metrics["test"] == result.metrics["test"]
    assert set(version.metrics) == {
        "test", "baseline", "linear_baseline", "slices", "rows", "calibration", "features",
        "intervals", "curves", "importance", "cross_validation",
    }  # fmt: skip
    assert [column["name"] for column in version.input_schema] == ["carrier", "wind (kt)", "hour", "weekend"]
    assert version.output_schema == {"task": "classification", "classes": [False, True]}
    assert (version.params["seed"], version.params["split"]["kind"], version.params["target"]) == (3, "time", "late")
    assert version.params["parity"]["rows"] == 62
    assert version.code_version
    assert len(version.environment_digest) == 64
    assert steps == sorted(steps)
    assert steps[-1] == 100


def test_trained_artefact_is_signed_and_answers_alike_in_both_engines(dataset: str) -> None:
    trained()
    version = ModelVersion.objects.resolve("delays@1")
    artefact = read_artefact(version)
    assert set(artefact.files) == {"model.joblib", "model.onnx", "judged_rows.parquet"}
    columns = {
        "carrier": np.array(["B6", None], dtype=object),
        "wind (kt)": np.array([20.0, np.nan]),
        "hour": np.array([7.0, 20.0]),
        "weekend": np.array([0.0, 1.0]),
    }
    graph = OnnxRuntime(artefact.files["model.onnx"], version.input_schema, version.output_schema).score(columns)
    own = SklearnRuntime(artefact.files["model.joblib"], version.input_schema, version.output_schema).score(columns)
    assert graph.predictions == own.predictions
    assert graph.probabilities == pytest.approx(own.probabilities, abs=1e-6)
    assert len(artefact.manifest["sample"]) == 5


def test_training_again_gives_another_version_with_the_same_answers(dataset: str) -> None:
    first, second = trained(seed=1), trained(seed=1)
    assert (first.version, second.version) == (1, 2)
    assert first.snapshot == second.snapshot
    assert first.metrics == second.metrics
    graphs = [read_artefact(version).files["model.onnx"] for version in ModelVersion.objects.all()]
    assert fingerprint(list(graphs[0])) == fingerprint(list(graphs[1]))


def test_train_takes_a_snapshot_that_is_there_already(dataset: str) -> None:
    snapshot = take_snapshot("frozen", dataset=dataset, actor=ACTOR)
    assert trained(dataset="", snapshot_id=snapshot.pk).snapshot == snapshot.pk
    assert FeatureSnapshot.objects.count() == 1


def test_model_that_misses_parity_is_served_by_scikit_learn_and_says_why(
    dataset: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    strict = settings.CONFIG.model.model_copy(update={"parity_tolerance": 1e-15})
    monkeypatch.setattr(settings, "CONFIG", settings.CONFIG.model_copy(update={"model": strict}))
    result = trained()
    assert result.engine == "sklearn"
    assert result.engine_reason.startswith("ONNX differs from scikit-learn by")
    assert set(read_artefact(ModelVersion.objects.resolve("delays@1")).files) == {"model.joblib", "judged_rows.parquet"}


@pytest.mark.parametrize(
    ("request_", "error", "text"),
    [
        ({"dataset": "trains"}, UnknownDatasetError, "trains"),
        ({"dataset": ""}, InvalidTrainingRequestError, "train on either a dataset or a snapshot: give one of the two"),
        ({"snapshot_id": 1}, InvalidTrainingRequestError, "give one of the two"),
        ({"dataset": "", "snapshot_id": 99}, UnknownSnapshotError, "there is no training snapshot 99"),
        ({"dataset": "", "snapshot_id": 1, "views": ["v"]}, InvalidTrainingRequestError, "give views with a dataset"),
        ({"model": "../up"}, BadSpecError, "up"),
    ],
)
def test_request_that_fits_nothing_is_refused_and_registers_nothing(
    dataset: str, request_: dict[str, Any], error: Any, text: str
) -> None:
    with pytest.raises(error, match=text):
        trained(**request_)
    assert not ModelVersion.objects.exists()
    assert not AuditEntry.objects.filter(action="register_version").exists()


def test_model_of_another_task_is_refused(dataset: str) -> None:
    trained()
    with pytest.raises(ModelTaskError, match="the model does classification, and the target hour needs regression"):
        trained(target="hour", estimator="ridge")
    assert ModelVersion.objects.count() == 1


def test_unknown_target_leaves_nothing_behind(dataset: str) -> None:
    with pytest.raises(UnknownTargetError, match="unknown target nope; columns: "):
        trained(target="nope")
    assert not FeatureSnapshot.objects.exists()
    assert not ModelVersion.objects.exists()


def test_threshold_is_kept_with_the_version_and_decides_through_every_door(dataset: str, tmp_path: Path) -> None:
    result = trained(estimator="hist_gradient_boosting", threshold_goal="cost=fp:1,fn:50", seed=2)
    version = ModelVersion.objects.resolve("delays@1")
    assert (result.engine, version.output_schema["threshold"]) == ("onnx", result.threshold)
    frame = flights(300, seed=8)[0].drop_columns(["departs", "late"])
    pq.write_table(frame, tmp_path / "in.parquet")
    score("delays@1", tmp_path / "in.parquet", tmp_path / "out.parquet", chunk_rows=70, actor=ACTOR)
    batch = pq.read_table(tmp_path / "out.parquet").to_pydict()
    rows = [list(row.values()) for row in frame.to_pylist()]
    said = predict(PredictRequest(principal="user:t", request_id="r", model="delays", version=1, rows=rows))
    assert said.predictions == batch["prediction"]
    assert said.probabilities is not None
    shares = [pair[1] for pair in said.probabilities]
    assert said.predictions == [share >= result.threshold for share in shares]
    # Some labels are not those of the most probable class, or the threshold would show nothing.
    assert sum(label != (share > 0.5) for label, share in zip(said.predictions, shares, strict=True)) > 5
    flush_log()


def test_training_that_is_checked_gives_the_same_twice(dataset: str) -> None:
    first = trained(estimator="random_forest", calibrate="sigmoid", check_reproducible=True)
    second = trained(estimator="random_forest", calibrate="sigmoid")
    assert (first.reproducible, second.reproducible) == (True, None)
    assert first.model_digest == second.model_digest
    assert first.artefact_digest != second.artefact_digest


def test_training_that_comes_out_otherwise_is_refused_and_registers_nothing(
    dataset: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = TrainingConfig(estimators={"moody": "tests.pipeline.moody:MoodyClassifier"})
    monkeypatch.setattr(settings, "CONFIG", settings.CONFIG.model_copy(update={"training": training}))
    trained(estimator="moody")
    with pytest.raises(NotReproducibleError, match=r"gave something else: model.joblib, .*predictions \(by up to") as e:
        trained(estimator="moody", check_reproducible=True)
    assert {"model.joblib", "metrics.test"} <= set(e.value.fields["differs"])
    assert ModelVersion.objects.count() == 1


def test_another_process_trains_the_same_files(dataset: str, tmp_path: Path) -> None:
    asked = {"split": "random", "importance": True, "tune": 2}
    snapshot = take_snapshot("frozen", dataset=dataset, actor=ACTOR)
    pq.write_table(read_snapshot(snapshot), tmp_path / "rows.parquet")
    (tmp_path / "asked.json").write_text(json.dumps({"columns": snapshot.columns, "plan": asked}))
    estimators = ("hist_gradient_boosting", "random_forest")
    found = []
    for hash_seed in ("1", "2"):
        program = [sys.executable, "-m", "tests.pipeline.train_elsewhere", str(tmp_path), *estimators]
        environ = {**os.environ, "PYTHONHASHSEED": hash_seed}
        done = subprocess.run(program, cwd=ROOT, env=environ, capture_output=True, text=True, check=True)
        found.append(done.stdout.splitlines())
    here = []
    for estimator in estimators:
        version = trained(dataset="", snapshot_id=snapshot.pk, estimator=estimator, **asked).version
        saved = read_artefact(ModelVersion.objects.resolve(f"delays@{version}")).files["model.joblib"]
        here.append(hashlib.sha256(saved).hexdigest())
    assert found == [here, here]
