"""What a version has answered in shadow or as canary, as the gate before production sees it."""

from datetime import timedelta

import pytest
from django.utils import timezone

from models_store.actions.approve import approve
from models_store.actions.change_policy import change_policy
from models_store.actions.evaluate_gates import evaluate_gates
from models_store.actions.promote import promote
from models_store.models import ModelVersion
from predictions.adapters.reads import trial_traffic
from predictions.models import Prediction
from tests.predictions.tiny import ROW, register

pytestmark = pytest.mark.django_db(transaction=True)


def answered(version: ModelVersion, role: str, *, rows: int, hours_ago: float) -> None:
    """Log a request a version has answered."""
    Prediction.objects.create(
        request_id="r",
        model_version=version,
        role=role,
        principal="user:eve",
        inputs=[ROW] * rows,
        outputs={"predictions": ["big"] * rows},
        rows=rows,
        latency_ms=0.1,
        at=timezone.now() - timedelta(hours=hours_ago),
    )


def gate(version: ModelVersion) -> str:
    outcomes = {found.gate: found for found in evaluate_gates(str(version), actor="cli:test")}
    return outcomes["minimum_traffic"].observed


def asked_for(version: ModelVersion, **settings: float) -> None:
    policy = {
        "approvals": 1,
        "stages": {"production": ["minimum_traffic", "max_latency"]},
        "settings": {"minimum_traffic": settings, "max_latency": {"ms": 600_000}},
    }
    change_policy(version.model.name, policy, actor="user:root", reason="try it first")


def test_rows_in_shadow_and_as_canary_count_and_others_do_not(var_dir):
    version, other = register(), register()
    answered(version, "shadow", rows=3, hours_ago=10)
    answered(version, "canary", rows=2, hours_ago=4)
    answered(version, "production", rows=50, hours_ago=30)
    answered(version, "pinned", rows=50, hours_ago=30)
    answered(other, "canary", rows=50, hours_ago=30)
    found = trial_traffic(version.pk)
    assert (found.rows, round(found.hours, 3)) == (5, 6.0)
    asked_for(version, rows=5)
    assert gate(version) == "5 rows within 6 hours in shadow or as canary"
    assert trial_traffic(0).rows == 0


def test_traffic_and_latency_that_change_by_themselves_void_no_approval(var_dir):
    version = register()
    answered(version, "shadow", rows=5, hours_ago=1)
    asked_for(version, rows=5)
    asked = promote(str(version), target_stage="production", reason="tried", actor="user:ann")
    assert asked.state == "waiting"
    answered(version, "shadow", rows=7, hours_ago=0)
    assert approve(asked.request, actor="user:bob").state == "applied"


@pytest.mark.parametrize("engine", ["onnx", "sklearn"])
def test_latency_of_either_engine_is_measured(var_dir, engine):
    version = register(engine=engine)
    asked_for(version, rows=1)
    latency = {found.gate: found for found in evaluate_gates(str(version), actor="cli:test")}["max_latency"]
    assert latency.passed
    assert latency.evidence["ms"] > 0
