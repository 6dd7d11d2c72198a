"""A shadow that raises what nobody thought of: the live answer is given, and the failure counted."""

import io
from dataclasses import replace

import joblib
import pytest

from benchmarks.fault_shadow import CrashingModel
from models_store.actions.promote import promote
from predictions import metrics
from predictions.actions.predict import PredictRequest, predict
from predictions.actions.score_shadow import shadow_queue
from tests.models_store.made import made, no_gates


def test_a_crashing_shadow_is_counted_and_told_once(serving: None, caplog: pytest.LogCaptureFixture) -> None:
    made(policy=no_gates())
    promote("flights@1", target_stage="production", reason="test", actor="cli:test")
    blob = io.BytesIO()
    joblib.dump(CrashingModel(), blob)
    made(files={"model.joblib": blob.getvalue()}, engine="sklearn")
    promote("flights@2", target_stage="shadow", reason="test", actor="cli:test")
    asked = PredictRequest(principal="cli:test", request_id="r", model="flights", rows=[[1.0, 2.0]])
    counted = metrics.shadow_errors_total.labels("flights")
    before = counted._value.get()
    assert [predict(replace(asked, request_id=str(n))).version for n in range(3)] == [1, 1, 1]
    shadow_queue.close()
    assert counted._value.get() == before + 3
    assert [record.message for record in caplog.records if "shadow" in record.message] == ["shadow flights@2 failed"]
