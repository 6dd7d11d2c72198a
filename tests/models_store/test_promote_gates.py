import pytest

from models_store.actions.change_policy import change_policy
from models_store.actions.evaluate_gates import evaluate_gates
from models_store.actions.promote import promote
from models_store.errors import (
    BadPromotionError,
    GateFailedError,
    PolicyError,
)
from models_store.models import AuditEntry, GateResult, ModelVersion, PromotionRequest, RegisteredModel
from tests.models_store.made import GOOD, made, nan_regressor, no_gates

BAD = {**GOOD, "test": {**GOOD["test"], "log_loss": 0.7}}


def ask(spec: str, stage: str = "production", **changes):
    return promote(spec, **{"target_stage": stage, "reason": "better", "actor": "user:ann", **changes})


def stages(model: str = "flights") -> dict[int, str]:
    return dict(ModelVersion.objects.filter(model__name=model).values_list("number", "stage"))


def test_version_with_a_changed_artefact_is_refused(store):
    version = made()
    (store / "artefacts" / version.manifest_digest / "model.onnx").write_bytes(b"other")
    with pytest.raises(GateFailedError, match="artefact_verified"):
        ask("flights@1", "shadow")
    assert stages() == {1: "candidate"}


def test_version_whose_artefact_is_gone_is_refused_whatever_the_policy(store):
    version = made(policy=no_gates())
    (store / "artefacts" / version.manifest_digest / "manifest.json").unlink()
    with pytest.raises(GateFailedError, match="artefact_missing"):
        ask("flights@1")


def test_version_that_answers_nan_is_refused(store):
    made(
        task="regression",
        primary_metric="rmse",
        output_schema={},
        files={"model.onnx": nan_regressor()},
        metrics={"test": {"rmse": 1.0}, "baseline": {"rmse": 2.0}},
    )
    with pytest.raises(GateFailedError, match=r"smoke_prediction_finite.*not all finite"):
        ask("flights@1")


def test_version_that_does_not_load_is_refused(store):
    made(files={"model.onnx": b"no graph"})
    with pytest.raises(GateFailedError, match=r"smoke_prediction_finite.*does not load"):
        ask("flights@1", "canary")


def test_version_that_refuses_its_sample_is_refused(store):
    made(input_schema=[{"name": "a"}, {"name": "b"}, {"name": "c"}])
    with pytest.raises(GateFailedError, match="refused rows that fit its schema"):
        ask("flights@1", "canary")


def test_version_with_other_inputs_is_refused_until_the_policy_allows_it(store):
    made()
    made(input_schema=[{"name": "length"}, {"name": "height"}])
    ask("flights@1")
    with pytest.raises(GateFailedError, match=r"signature_compatible.*added: height; removed: width"):
        ask("flights@2")
    allow = {"settings": {"signature_compatible": {"allow": ["added", "removed"]}}}
    change_policy("flights", allow, actor="user:root", reason="clients are ready")
    assert ask("flights@2").state == "applied"


def test_policy_with_approvals_makes_a_promotion_wait(store):
    made()
    change_policy("flights", {"approvals": 1}, actor="user:root")
    done = ask("flights@1")
    assert (done.state, done.generation) == ("waiting", 0)
    assert stages() == {1: "candidate"}
    assert PromotionRequest.objects.get().state == "waiting"
    assert AuditEntry.objects.filter(action="promote_requested", object_id="flights@1").exists()
    assert ask("flights@1", "canary").state == "applied"


def test_faulty_policy_leaves_the_one_there_was(store):
    made()
    before = RegisteredModel.objects.get().policy
    with pytest.raises(PolicyError):
        change_policy("flights", {"approvals": "many"}, actor="user:root")
    assert RegisteredModel.objects.get().policy == before
    assert AuditEntry.objects.filter(action="change_policy_refused").exists()


def test_policy_change_is_audited_with_before_and_after(store):
    made()
    change_policy("flights", {"approvals": 2}, actor="user:root", reason="four eyes")
    entry = AuditEntry.objects.get(action="change_policy")
    assert (entry.before["approvals"], entry.after["approvals"]) == (0, 2)


def test_gates_are_evaluated_and_stored_without_a_promotion(store):
    made(metrics=BAD)
    outcomes = evaluate_gates("flights@1", actor="user:ann")
    failed = [found.gate for found in outcomes if not found.passed]
    assert failed == ["better_than_baseline"]
    assert GateResult.objects.filter(passed=False).get().gate == "better_than_baseline"
    assert stages() == {1: "candidate"}
    assert AuditEntry.objects.get(action="evaluate_gates").after["failed"] == failed


def test_gates_before_a_stage_that_has_none_are_refused(store):
    made()
    with pytest.raises(BadPromotionError, match="gates stand before"):
        evaluate_gates("flights@1", target_stage="archived", actor="user:ann")
