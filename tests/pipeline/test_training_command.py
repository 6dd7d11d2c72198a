"""`manage.py train`: one run, one JSON object or a short text."""

import json
from io import StringIO
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from django.core.management import call_command

from features.actions.ingest import ingest
from features.core.schema import ColumnRoles
from models_store.models import ModelVersion
from pipeline.core.training_errors import InvalidParamError, UnknownEstimatorError
from pipeline.models import Run
from tests.pipeline.training_data import flights

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def dataset(var_dir: Path, tmp_path: Path) -> None:
    table, _ = flights(200)
    pq.write_table(table, tmp_path / "flights.parquet")
    roles = ColumnRoles(target="late", timestamp="departs")
    ingest("flights", [tmp_path / "flights.parquet"], actor="cli:ann", roles=roles)


def run(*options: str) -> str:
    out = StringIO()
    call_command("train", "delays", "--dataset", "flights", *options, stdout=out)
    return out.getvalue()


def test_train_prints_one_json_object_and_leaves_a_run() -> None:
    body = json.loads(run("--estimator", "logistic_regression", "--param", "C=0.5", "--seed", "4", "--json"))
    assert {"model", "version", "stage", "metrics", "snapshot", "artefact_digest", "engine", "seconds"} <= set(body)
    assert (body["model"], body["version"], body["stage"], body["engine"]) == ("delays", 1, "candidate", "onnx")
    row = Run.objects.get(pk=body["run"])
    assert (row.state, row.kind, row.progress) == ("succeeded", "train", 100)
    assert row.params["params"] == {"C": 0.5}


def test_train_prints_metrics_beside_what_they_must_beat() -> None:
    lines = run("--estimator", "dummy", "--split", "random", "--test-size", "0.25").splitlines()
    assert lines[0] == (
        "delays@1 (candidate): classification by dummy, served by sklearn (skl2onnx has no form for DummyClassifier)"
    )
    assert lines[1].split() == ["metric", "test", "baseline", "linear_baseline", "test,", "95", "%"]
    assert lines[2].split()[:3] == ["roc_auc", "0.5", "0.5"]
    assert "rows: 150 to learn from, 50 to test on" in lines
    assert "not used: departs (its role is timestamp)" in lines
    assert lines[-1] == "next: manage.py gates delays@1"


def test_train_takes_every_choice_and_says_what_came_of_it() -> None:
    options = ["--estimator", "linear_svm", "--calibrate", "isotonic", "--threshold-goal", "recall>=0.9", "--cv", "2"]
    more = ["--class-weight", "true=2", "--tune", "2", "--importance", "--split", "group", "--group", "carrier"]
    lines = run(*options, *more, "--test-size", "0.3", "--check-reproducible").splitlines()
    text = "\n".join(lines)
    assert "delays@1 (candidate): classification by linear_svm" in text
    assert "threshold: 0." in text
    assert "2 folds: log_loss " in text
    assert "trained twice: predictions and files are the same" in lines
    assert " to validate on, " in text
    params = Run.objects.get().params
    assert (params["class_weight"], params["tune"], params["group"]) == ({"true": 2.0}, 2, "carrier")
    assert ModelVersion.objects.get().metrics["importance"]["features"].keys() >= {"hour", "wind (kt)"}


def test_train_with_a_param_that_is_no_pair_starts_no_run() -> None:
    with pytest.raises(InvalidParamError, match="a parameter is written name=value, got C"):
        run("--param", "C")
    assert not Run.objects.exists()


def test_refused_training_leaves_a_failed_run() -> None:
    with pytest.raises(UnknownEstimatorError, match="unknown estimator magic; allowed: logistic_regression"):
        run("--estimator", "magic")
    assert (Run.objects.get().state, Run.objects.get().error_code) == ("failed", "unknown_estimator")
