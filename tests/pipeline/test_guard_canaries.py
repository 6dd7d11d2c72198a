"""A canary that does harm is stopped, audited and told of; one that does none goes on."""

import io
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from django.contrib.auth.models import User
from django.test import Client
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.compose import TransformedTargetRegressor
from sklearn.linear_model import LinearRegression

from models_store.actions.promote import promote
from models_store.actions.register_version import NewVersion, register_version
from models_store.actions.stop_canary import stop_canary
from models_store.core.policy import imported_policy
from models_store.models import AuditEntry, ModelVersion, RegisteredModel
from pipeline.actions.guard_canaries import GUARD, guard_canaries
from pipeline.models import Alert
from pipeline.tasks import guard
from predictions import engine
from predictions.actions.audit_routes import audit_routes
from predictions.actions.log_predictions import flush_log
from predictions.actions.predict import PredictAnswer, PredictRequest, predict
from predictions.actions.record_outcomes import OutcomeItem, record_outcomes
from predictions.actions.score_shadow import shadow_queue
from predictions.errors import InvalidRequestError
from predictions.models import Prediction
from tests.predictions.conftest import Configure, configure, serving
from tests.predictions.tiny import staged

__all__ = ["configure", "serving"]
NUMBER = [{"name": "x", "dtype": "number", "nullable": False, "min": 0, "max": None}]


def ask(*rows: Any) -> PredictAnswer:
    request = PredictRequest(principal="cli:t", request_id="r", rows=rows or [[4.0, 1.5, "red"]])
    return predict(request)


def settle() -> None:
    shadow_queue.close()
    flush_log()


def regression(coefficient: float, *, log: bool = False) -> ModelVersion:
    """Register y = coefficient * x; with `log`, y = log(5 - x), which from 5 on is no number."""
    frame = pd.DataFrame({"x": [0.0, 1.0, 2.0]})
    model: Any = LinearRegression().fit(frame, frame["x"] * coefficient)
    if log:
        model = TransformedTargetRegressor(LinearRegression(), func=np.exp, inverse_func=np.log, check_inverse=False)
        model.fit(frame, np.log(5.0 - frame["x"]))
    blob = io.BytesIO()
    joblib.dump(model, blob)
    files = {"model.joblib": blob.getvalue()}
    if not log:
        # The converter has no such logarithm. Of what it has, no process need be started to try the pickle.
        files["model.onnx"] = to_onnx(model, initial_types=[("x", FloatTensorType([None, 1]))]).SerializeToString()
    return register_version(
        NewVersion(
            model="line",
            task="regression",
            primary_metric="rmse",
            files=files,
            estimator="linear",
            engine="sklearn" if log else "onnx",
            input_schema=NUMBER,
            output_schema={"task": "regression"},
            metrics={"features": {"x": 1.0}},
            actor="cli:test",
            policy=imported_policy(),
        )
    )


def stage(version: ModelVersion, where: str, percent: int | None = None) -> None:
    promote(str(version), target_stage=where, reason="test", actor="cli:test", percent=percent)
    engine.refresh()


def stages(model: str) -> dict[int, str]:
    return dict(ModelVersion.objects.filter(model__name=model).values_list("number", "stage"))


def test_a_canary_whose_answers_turn_out_worse_is_stopped(serving: None) -> None:
    stage(regression(1.0), "production")
    stage(regression(1.5), "canary", 50)
    answers = [ask([float(x)]) for x in range(1, 41)]
    assert guard_canaries() == []
    settle()
    for x, answer in enumerate(answers, 1):
        record_outcomes([OutcomeItem(prediction_id=answer.prediction_id, actual=float(x))], actor="test")
    assert guard_canaries() == ["line@2"]
    assert stages("line") == {1: "production", 2: "archived"}
    assert RegisteredModel.objects.get().canary_percent == 0
    entry = AuditEntry.objects.latest("id")
    assert (entry.actor, entry.object_id) == (GUARD, "line@2")
    assert entry.reason.startswith("mean loss +1.000 against production on ")
    alert = Alert.objects.get()
    assert (alert.title, alert.severity, alert.detail) == ("canary line@2 is stopped", "critical", entry.reason)
    engine.refresh()
    assert {ask([1.0]).role for _ in range(20)} == {"production"}
    assert guard_canaries() == []


def test_a_canary_that_is_as_good_goes_on(serving: None) -> None:
    stage(regression(1.0), "production")
    stage(regression(1.0), "canary", 100)
    answers = [ask([float(x)]) for x in range(1, 31)]
    settle()
    for answer in answers:
        record_outcomes([OutcomeItem(prediction_id=answer.prediction_id, actual=3.0)], actor="test")
    guard()
    assert stages("line") == {1: "production", 2: "canary"}


@pytest.mark.filterwarnings("ignore:invalid value encountered in log:RuntimeWarning")
def test_a_canary_without_a_finite_answer_fails_nobody_and_is_stopped(serving: None) -> None:
    stage(regression(1.0), "production")
    stage(regression(1.0, log=True), "canary", 100)
    assert ask([1.0]).role == "canary"
    answer = ask([7.0])
    assert (answer.role, np.round(answer.predictions, 9).tolist()) == ("production", [7.0])
    settle()
    row = Prediction.objects.get(pk=answer.prediction_id)
    assert (row.fallback, row.route["percent"]) == ("not_finite", 100)
    assert audit_routes().ok
    assert guard_canaries() == ["line@2"]
    assert AuditEntry.objects.latest("id").reason == "1 answers were no numbers"


def test_champion_and_challenger_are_logged_in_pairs(serving: None, configure: Configure) -> None:
    stage(regression(1.0), "production")
    stage(regression(1.5), "canary", 100)
    answer = ask([2.0])
    settle()
    beside = Prediction.objects.get(role="shadow")
    assert beside.route == {"beside": str(answer.prediction_id)}
    assert beside.model_version.number == 1
    assert beside.inputs == [[2.0]]
    assert np.allclose(beside.outputs["predictions"], [2.0])
    configure(canary__mirror=False)
    ask([2.0])
    settle()
    assert Prediction.objects.count() == 3


def test_whatever_a_canary_raises_production_answers(serving: None) -> None:
    stage(regression(1.0), "production")
    stage(regression(1.0, log=True), "canary", 100)
    # Warnings are errors here, and none that the runtime knows.
    answer = ask([7.0])
    assert answer.role == "production"
    settle()
    assert Prediction.objects.get(pk=answer.prediction_id).fallback == "internal_error"
    with pytest.raises(InvalidRequestError):
        ask([-7.0])


@pytest.mark.filterwarnings("ignore:invalid value encountered in log:RuntimeWarning")
def test_a_guard_that_is_off_judges_nobody(serving: None, configure: Configure) -> None:
    configure(canary__guard=False)
    stage(regression(1.0), "production")
    stage(regression(1.0, log=True), "canary", 100)
    ask([7.0])
    settle()
    assert guard_canaries() == []
    assert stages("line")[2] == "canary"


def test_only_a_canary_is_stopped(serving: None) -> None:
    version = staged()
    assert not stop_canary(str(version), reason="no", actor="system:test")
    assert stages("tiny") == {1: "production"}


@pytest.mark.parametrize("known", [False, True])
def test_the_version_s_page_shows_the_comparison(serving: None, client: Client, known: bool) -> None:
    stage(regression(1.0), "production")
    canary = regression(1.5)
    stage(canary, "canary", 100)
    answer = ask([2.0])
    settle()
    if known:
        record_outcomes([OutcomeItem(prediction_id=answer.prediction_id, actual=2.0)], actor="test")
    client.force_login(User.objects.create_superuser("root"))
    page = client.get(f"/admin/models_store/modelversion/{canary.pk}/change/").content.decode()
    assert "Canary beside production" in page
    assert "Nothing speaks against it" in page
    assert ("After 1 rows +1.000" in page) is known
