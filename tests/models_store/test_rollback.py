from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from models_store.actions import rollback as module
from models_store.actions.live_at import live_at
from models_store.actions.promote import promote
from models_store.actions.rollback import rollback
from models_store.errors import (
    AlreadyThereError,
    BadPromotionError,
    GateFailedError,
    MoveNotAllowedError,
    NoProductionVersionError,
    NothingToRollBackToError,
    PromotionConflictError,
    UnknownModelError,
    UnknownVersionError,
)
from models_store.models import AuditEntry, ModelVersion, PromotionRequest, RegisteredModel
from tests.models_store.made import made


def live(count: int, model: str = "flights") -> list[ModelVersion]:
    """Register versions and put each in production in turn."""
    versions = [made(model) for _ in range(count)]
    for version in versions:
        promote(str(version), target_stage="production", reason=f"number {version.number}", actor="user:ann")
    return versions


def back(model: str = "flights", **changes):
    return rollback(model, **{"reason": "worse", "actor": "user:bob", **changes})


def production(model: str = "flights") -> int:
    return ModelVersion.objects.resolve(model).number


def test_rollback_returns_to_the_previous_version(store):
    live(2)
    done = back()
    assert (done.from_version, done.to_version, done.generation, done.warning) == (2, 1, 3, "")
    assert production() == 1
    assert ModelVersion.objects.get(number=2).stage == "archived"
    entry = AuditEntry.objects.get(action="rollback")
    assert (entry.actor, entry.before["production"], entry.after["production"]) == ("user:bob", 2, 1)
    assert PromotionRequest.objects.filter(state="applied").count() == 3


def test_second_rollback_goes_further_down(store):
    live(3)
    assert [back().to_version, back().to_version] == [2, 1]
    with pytest.raises(NothingToRollBackToError, match="no production version before"):
        back()


def test_rollback_to_a_named_version(store):
    live(3)
    assert back(to=1).to_version == 1
    assert back(to=3).to_version == 3


def test_rollback_brings_back_what_was_archived(store):
    live(1)
    promote("flights@1", target_stage="archived", reason="stop", actor="user:ann")
    with pytest.raises(NoProductionVersionError):
        production()
    done = back()
    assert (done.from_version, done.to_version) == (None, 1)


def test_models_whose_names_differ_in_case_have_their_own_history(store):
    live(2, "flights")
    live(1, "FLIGHTS")
    with pytest.raises(NothingToRollBackToError):
        back("FLIGHTS")


@pytest.mark.parametrize(
    ("to", "error"),
    [(2, AlreadyThereError), (3, MoveNotAllowedError), (4, NothingToRollBackToError), (9, UnknownVersionError)],
)
def test_rollback_to_a_version_that_was_not_before_is_refused(store, to, error):
    live(2)
    made()
    made()
    promote("flights@4", target_stage="archived", reason="never used", actor="user:ann")
    with pytest.raises(error):
        back(to=to)
    assert production() == 2
    assert AuditEntry.objects.get(action="rollback_refused").after["code"] == error.code


@pytest.mark.parametrize(
    ("model", "reason", "error"), [("delays", "worse", UnknownModelError), ("flights", " ", BadPromotionError)]
)
def test_bad_request_is_refused_and_audited(store, model, reason, error):
    live(2)
    with pytest.raises(error):
        back(model, reason=reason)
    assert production() == 2
    assert AuditEntry.objects.get(action="rollback_refused").object_id == model


def test_rollback_to_a_changed_artefact_is_refused(store):
    first, _ = live(2)
    (store / "artefacts" / first.manifest_digest / "model.onnx").write_bytes(b"other")
    with pytest.raises(GateFailedError, match="artefact_verified"):
        back()
    assert production() == 2
    assert PromotionRequest.objects.get(state="refused").refusal["gates"].keys() >= {"artefact_verified"}
    assert AuditEntry.objects.filter(action="rollback_refused").count() == 1


def test_model_that_changes_meanwhile_is_a_conflict(store, monkeypatch):
    live(2)
    made()
    real = module.gather_evidence

    def slow(version):
        gathered = real(version)
        promote("flights@3", target_stage="production", reason="faster", actor="user:ann")
        return gathered

    monkeypatch.setattr(module, "gather_evidence", slow)
    with pytest.raises(PromotionConflictError):
        back()
    assert production() == 3


def test_broken_constraint_is_a_conflict(store, monkeypatch):
    live(2)

    def violate(*_):
        raise module.IntegrityError("UNIQUE constraint failed: one_production")

    monkeypatch.setattr(module, "apply_move", violate)
    with pytest.raises(PromotionConflictError, match="was first"):
        back()
    assert production() == 2


def test_rollback_changes_neither_canary_nor_its_share(store):
    live(2)
    made()
    promote("flights@3", target_stage="canary", percent=30, reason="try", actor="user:ann")
    back()
    assert ModelVersion.objects.get(number=3).stage == "canary"
    assert RegisteredModel.objects.get().canary_percent == 30


def test_history_tells_who_was_live(store):
    before = timezone.now() - timedelta(seconds=1)
    live(2)
    back()
    now = live_at("flights", timezone.now())
    assert (now.version, now.actor, now.reason) == (1, "user:bob", "worse")
    promoted = AuditEntry.objects.filter(action="promote").order_by("id")
    first = live_at("flights", promoted[0].at)
    assert (first.version, first.since, first.reason) == (1, promoted[0].at, "number 1")
    assert live_at("flights", promoted[1].at).version == 2
    nothing = live_at("flights", before)
    assert (nothing.version, nothing.since, nothing.actor) == (None, None, "")


def test_history_of_an_unknown_model_is_refused(store):
    with pytest.raises(UnknownModelError):
        live_at("delays", datetime(2026, 1, 1, tzinfo=UTC))
