import pytest
from django.db import IntegrityError, transaction

from models_store.actions import decide
from models_store.actions import promote as module
from models_store.actions.promote import promote
from models_store.actions.verify_audit import verify_audit
from models_store.errors import (
    AlreadyThereError,
    BadPromotionError,
    BadSpecError,
    GateFailedError,
    MoveNotAllowedError,
    PromotionConflictError,
    UnknownModelError,
    UnknownVersionError,
)
from models_store.models import AuditEntry, GateResult, ModelVersion, PromotionRequest, RegisteredModel
from tests.models_store.made import GOOD, classifier, made

BAD = {**GOOD, "test": {**GOOD["test"], "log_loss": 0.7}}


def ask(spec: str, stage: str = "production", **changes):
    return promote(spec, **{"target_stage": stage, "reason": "better", "actor": "user:ann", **changes})


def stages(model: str = "flights") -> dict[int, str]:
    return dict(ModelVersion.objects.filter(model__name=model).values_list("number", "stage"))


def test_good_version_goes_to_production(store):
    made()
    done = ask("flights@1")
    assert (done.state, done.generation, done.warning) == ("applied", 1, "")
    assert all(found.passed for found in done.gates)
    assert stages() == {1: "production"}
    request = PromotionRequest.objects.get()
    assert (request.pk, request.state, request.requester) == (done.request, "applied", "user:ann")
    assert len(request.evidence_digest) == 64
    assert GateResult.objects.filter(version__number=1).count() == len(done.gates)


def test_next_one_archives_the_last(store):
    made()
    made()
    ask("flights@1")
    ask("flights@2")
    assert stages() == {1: "archived", 2: "production"}
    assert RegisteredModel.objects.get().generation == 2
    entry = AuditEntry.objects.filter(action="promote").order_by("-id").first()
    assert (entry.before["production"], entry.after["production"], entry.reason) == (1, 2, "better")
    assert verify_audit().ok


def test_refused_promotion_keeps_champion_and_is_audited(store):
    made()
    made(metrics=BAD)
    ask("flights@1")
    with pytest.raises(GateFailedError, match=r"better_than_baseline.*not_worse_than_champion") as refusal:
        ask("flights@2")
    assert {gate["gate"] for gate in refusal.value.fields["gates"]} == {
        "better_than_baseline",
        "not_worse_than_champion",
    }
    assert stages() == {1: "production", 2: "candidate"}
    assert RegisteredModel.objects.get().generation == 1
    request = PromotionRequest.objects.get(state="refused")
    assert set(request.refusal["gates"]) == {"better_than_baseline", "not_worse_than_champion"}
    entry = AuditEntry.objects.get(action="promote_refused")
    assert (entry.object_id, entry.after["code"]) == ("flights@2", "gate_failed")


def test_canary_needs_no_metrics(store):
    made(metrics=BAD)
    done = ask("flights@1", "canary", percent=5)
    assert [found.gate for found in done.gates] == [
        "artefact_verified",
        "signature_compatible",
        "smoke_prediction_finite",
    ]
    assert RegisteredModel.objects.get().canary_percent == 5


def test_canary_percent_changes_through_the_same_door(store):
    made()
    ask("flights@1", "canary")
    assert ask("flights@1", "canary", percent=50).generation == 2
    assert RegisteredModel.objects.get().canary_percent == 50
    with pytest.raises(AlreadyThereError):
        ask("flights@1", "canary", percent=50)


def test_displaced_canary_is_a_candidate_again(store):
    made()
    made()
    ask("flights@1", "canary")
    ask("flights@2", "canary", percent=20)
    assert stages() == {1: "candidate", 2: "canary"}


def test_promoted_canary_leaves_no_share_behind(store):
    made()
    ask("flights@1", "canary")
    ask("flights@1", "production")
    assert stages() == {1: "production"}
    assert RegisteredModel.objects.get().canary_percent == 0


@pytest.mark.parametrize("stage", ["shadow", "canary", "production"])
def test_serving_version_can_be_archived(store, stage):
    made()
    ask("flights@1", stage)
    done = ask("flights@1", "archived")
    assert (done.generation, done.gates) == (2, [])
    assert stages() == {1: "archived"}
    assert not (store / "models" / "flights" / "production").exists()


def test_candidate_can_be_rejected_for_good(store):
    made()
    ask("flights@1", "rejected")
    with pytest.raises(MoveNotAllowedError, match="is rejected and may go to no other stage"):
        ask("flights@1", "canary")


def refusals() -> list[tuple[str, str]]:
    found = AuditEntry.objects.filter(action="promote_refused").order_by("id")
    return [(entry.object_id, entry.after["code"]) for entry in found]


def test_archived_version_comes_back_by_rollback_alone(store):
    made()
    made()
    ask("flights@1")
    ask("flights@2")
    with pytest.raises(MoveNotAllowedError, match="only a rollback"):
        ask("flights@1")
    assert refusals() == [("flights@1", "move_not_allowed")]


def test_live_version_is_not_promoted_again(store):
    made()
    ask("flights@1")
    with pytest.raises(AlreadyThereError, match="flights@1 is already production"):
        ask("flights@1")
    assert refusals() == [("flights@1", "already_there")]
    assert RegisteredModel.objects.get().generation == 1


@pytest.mark.parametrize(
    ("spec", "changes", "error"),
    [
        ("flights", {}, BadSpecError),
        ("flights@2", {}, UnknownVersionError),
        ("delays@1", {}, UnknownModelError),
        ("../<b>flights</b>@1", {}, BadSpecError),
        ("flights@1", {"reason": ""}, BadPromotionError),
        ("flights@1", {"reason": "x" * 100_000}, BadPromotionError),
        ("flights@1", {"target_stage": "candidate"}, BadPromotionError),
        ("flights@1", {"target_stage": "prod" * 1000}, BadPromotionError),
        ("flights@1", {"target_stage": "canary", "percent": 101}, BadPromotionError),
        ("flights@1", {"percent": 10}, BadPromotionError),
        ("flights@1", {"expected_generation": 7}, PromotionConflictError),
    ],
)
def test_bad_request_changes_nothing_and_is_audited(store, spec, changes, error):
    made()
    with pytest.raises(error):
        ask(spec, **changes)
    assert stages() == {1: "candidate"}
    assert not PromotionRequest.objects.exists()
    entry = AuditEntry.objects.get(action="promote_refused")
    assert (entry.object_id, entry.after["code"]) == (spec, error.code)
    assert len(entry.reason) <= 2000
    assert verify_audit().ok


def test_stale_form_is_a_conflict(store):
    made()
    made()
    ask("flights@1", expected_generation=0)
    with pytest.raises(PromotionConflictError, match="you saw generation 0, it is 1 now"):
        ask("flights@2", expected_generation=0)
    assert stages() == {1: "production", 2: "candidate"}


def test_model_that_changes_while_the_evidence_is_gathered_is_a_conflict(store, monkeypatch):
    made()
    made()
    real = module.gather_evidence

    def slow(version):
        gathered = real(version)
        monkeypatch.setattr(module, "gather_evidence", real)
        ask("flights@1")
        return gathered

    monkeypatch.setattr(module, "gather_evidence", slow)
    with pytest.raises(PromotionConflictError, match="you saw generation 0, it is 1 now"):
        ask("flights@2")
    assert stages() == {1: "production", 2: "candidate"}
    assert refusals() == [("flights@2", "promotion_conflict")]


def test_broken_constraint_is_a_conflict(store, monkeypatch):
    made()

    def violate(*_):
        raise IntegrityError("UNIQUE constraint failed: one_production")

    monkeypatch.setattr(decide, "apply_move", violate)
    with pytest.raises(PromotionConflictError, match="was first"):
        ask("flights@1")
    assert stages() == {1: "candidate"}


def test_database_allows_no_second_production_version(store):
    made()
    made()
    ask("flights@1")
    with pytest.raises(IntegrityError), transaction.atomic():
        ModelVersion.objects.filter(number=2).update(stage="production")


def test_versions_are_resolved_by_name(store):
    made(files={"model.onnx": classifier(2.0)})
    made()
    ask("flights@2")
    assert ModelVersion.objects.resolve("flights").number == 2
    assert ModelVersion.objects.resolve("flights@1").number == 1
