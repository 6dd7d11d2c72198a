"""Four eyes: who may give which word on a request, and what becomes of it."""

import threading

import pytest
from django.contrib.auth.models import Group, User
from django.db import IntegrityError, connection, transaction

from features.ground.errors import DomainError
from models_store.actions.approve import approve
from models_store.actions.change_policy import change_policy
from models_store.actions.reject import reject
from models_store.actions.verify_audit import verify_audit
from models_store.core.people import person
from models_store.errors import (
    AlreadyAskedError,
    AlreadyDecidedError,
    BadPromotionError,
    EvidenceChangedError,
    GateFailedError,
    OwnRequestError,
    PromotionConflictError,
    RequestClosedError,
    RequestExpiredError,
    RightMissingError,
    UnknownRequestError,
)
from models_store.models import Approval, AuditEntry, ModelVersion, OutboxEvent, PromotionRequest, RegisteredModel
from tests.models_store.made import GOOD, made
from tests.models_store.people import account, ask, overdue, stages, state, waiting


def actions() -> list[str]:
    return list(AuditEntry.objects.order_by("id").values_list("action", flat=True))


def test_approved_request_is_applied_and_says_who_did_what(store):
    request = waiting()
    done = approve(request, actor="user:bob", reason="seen on the held-out week")
    assert (done.state, done.generation, done.warning) == ("applied", 1, "")
    assert stages() == {1: "production"}
    assert (store / "models" / "flights" / "production" / "model.onnx").exists()
    entry = AuditEntry.objects.get(action="promote")
    assert (entry.actor, entry.reason) == ("user:ann", "better")
    assert entry.after.items() >= {"approved_by": ["bob"], "request": request}.items()
    word = AuditEntry.objects.get(action="approve")
    assert (word.actor, word.reason, word.after["request"]) == ("user:bob", "seen on the held-out week", request)
    assert verify_audit().ok


def test_second_approval_decides_where_two_are_needed(store):
    request = waiting(2)
    assert approve(request, actor="user:bob").state == "waiting"
    assert stages() == {1: "candidate"}
    assert approve(request, actor="user:cid").state == "applied"
    assert AuditEntry.objects.get(action="promote").after["approved_by"] == ["bob", "cid"]
    assert actions().count("promote_requested") == 1


@pytest.mark.parametrize("actor", ["user:ann", "cli:ann", "ann", "user:Ann", " user:ann "])
def test_requester_cannot_approve_by_any_door(store, actor):
    request = waiting()
    with pytest.raises(OwnRequestError, match="was made by ann: somebody else has to approve it"):
        approve(request, actor=actor)
    assert (state(request), stages()) == ("waiting", {1: "candidate"})
    refusal = AuditEntry.objects.get(action="approve_refused")
    assert (refusal.actor, refusal.object_id, refusal.after["code"]) == (actor, str(request), "own_request")


def test_database_refuses_an_approver_who_is_the_requester(store):
    request = waiting()
    with pytest.raises(IntegrityError, match="approver_is_not_requester"), transaction.atomic():
        Approval.objects.create(request_id=request, requester="ann", approver="ann", evidence_digest="e")


def test_one_person_counts_once(store):
    request = waiting(2)
    approve(request, actor="user:bob")
    with pytest.raises(AlreadyDecidedError, match="bob has approved"):
        approve(request, actor="cli:bob")
    assert state(request) == "waiting"
    with pytest.raises(IntegrityError), transaction.atomic():
        Approval.objects.create(request_id=request, requester="ann", approver="bob", evidence_digest="e")


def test_person_is_the_same_through_every_door():
    assert {person(actor) for actor in ("user:Ann", "cli:ann", "ann ", "user:cli:ANN")} == {"ann"}
    assert person("service:ann") != person("user:ann")


def test_changed_metrics_void_the_request_and_its_approvals(store):
    request = waiting(2)
    approve(request, actor="user:bob")
    ModelVersion.objects.update(metrics={**GOOD, "test": {**GOOD["test"], "roc_auc": 0.99}})
    with pytest.raises(EvidenceChangedError, match="void: metrics, gates, policy or artefact"):
        approve(request, actor="user:cid")
    assert (state(request), stages()) == ("void", {1: "candidate"})
    assert "promote_void" in actions()
    with pytest.raises(RequestClosedError, match="is void already"):
        approve(request, actor="user:cid")
    assert ask().state == "waiting"


def test_changed_threshold_voids_the_request(store):
    request = waiting()
    settings = {"primary_metric": {"bound": 0.5}}
    change_policy("flights", {"approvals": 1, "settings": settings}, actor="cli:root")
    with pytest.raises(EvidenceChangedError):
        approve(request, actor="user:bob")
    assert state(request) == "void"


def test_damaged_artefact_voids_the_request(store):
    request = waiting()
    digest = ModelVersion.objects.get().manifest_digest
    (store / "artefacts" / digest / "model.onnx").write_bytes(b"other")
    with pytest.raises(EvidenceChangedError):
        approve(request, actor="user:bob")
    assert stages() == {1: "candidate"}


def test_expired_request_is_told_and_cannot_be_approved(store):
    request = waiting()
    overdue(request)
    with pytest.raises(RequestExpiredError, match=f"request {request} expired at .* UTC: ask again"):
        approve(request, actor="user:bob")
    assert state(request) == "expired"
    with pytest.raises(RequestExpiredError):
        approve(request, actor="user:bob")
    assert actions().count("promote_expired") == 1
    assert ask().state == "waiting"


def test_expired_request_stands_in_nobodys_way(store):
    request = waiting()
    overdue(request)
    assert ask().state == "waiting"
    assert state(request) == "expired"


def test_policy_says_how_long_a_request_waits(store):
    request = PromotionRequest.objects.get(pk=waiting(request_expires_hours=3))
    assert round((request.expires_at - request.created_at).total_seconds() / 3600, 2) == 3


def test_request_dies_when_something_else_goes_live(store):
    request = waiting()
    made()
    ask("flights@2", "canary")
    assert state(request) == "void"
    assert AuditEntry.objects.get(action="promote").after["voided_requests"] == [request]
    assert OutboxEvent.objects.get(kind="promotion.void").payload["request"] == request
    with pytest.raises(RequestClosedError):
        approve(request, actor="user:bob")


def test_generation_that_moved_on_is_a_conflict_even_if_nobody_voided_the_request(store):
    request = waiting()
    RegisteredModel.objects.update(generation=5)
    with pytest.raises(PromotionConflictError, match="made for generation 0 of flights, it is 5 now"):
        approve(request, actor="user:bob")
    assert (state(request), stages()) == ("void", {1: "candidate"})


def test_same_thing_is_not_asked_for_twice(store):
    request = waiting()
    with pytest.raises(AlreadyAskedError, match=f"request {request} asks for flights@1"):
        ask(actor="user:dan")
    fields = {"version_id": ModelVersion.objects.get().pk, "target_stage": "production", "reason": "r"}
    with pytest.raises(IntegrityError), transaction.atomic():
        PromotionRequest.objects.create(**fields, requester="dan", evidence_digest="e", expected_generation=0)


def test_approvers_at_once_apply_once_and_losers_are_told(store):
    request, gate, answers = waiting(), threading.Barrier(5), []

    def run(name: str) -> None:
        try:
            gate.wait()
            answers.append(approve(request, actor=f"user:{name}").state)
        except DomainError as error:
            answers.append(error.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(name,)) for name in "bcdef"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers.count("applied") == 1
    assert set(answers) <= {"applied", "request_closed", "promotion_conflict"}
    assert RegisteredModel.objects.get().generation == 1
    assert actions().count("promote") == 1


def test_rejected_request_ends_and_says_why(store):
    request = waiting()
    assert reject(request, reason="too early", actor="user:bob").state == "rejected"
    word = Approval.objects.get()
    assert (word.approver, word.approved, word.reason) == ("bob", False, "too early")
    with pytest.raises(RequestClosedError, match="is rejected already"):
        approve(request, actor="user:cid")
    assert OutboxEvent.objects.get(kind="promotion.rejected").payload["reason"] == "too early"


def test_approver_may_change_their_mind(store):
    request = waiting(2)
    approve(request, actor="user:bob")
    reject(request, reason="saw the slices", actor="user:bob")
    assert Approval.objects.get().approved is False


def test_requester_takes_a_request_back(store):
    request = waiting()
    assert reject(request, reason="my mistake", actor="cli:ann").state == "rejected"
    assert not Approval.objects.exists()


@pytest.mark.parametrize("reason", ["", "  ", "x" * 100_000, "\x00"])
def test_rejection_without_a_readable_reason_is_refused(store, reason):
    request = waiting()
    with pytest.raises(BadPromotionError, match="reason"):
        reject(request, reason=reason, actor="user:bob")
    assert state(request) == "waiting"
    assert AuditEntry.objects.filter(action="reject_refused").count() == 1


@pytest.mark.parametrize("number", [0, -1, 99, 10**30])
def test_request_that_is_not_there_is_told(store, number):
    with pytest.raises(UnknownRequestError, match="there is no promotion request"):
        approve(number, actor="user:bob")
    with pytest.raises(UnknownRequestError):
        reject(number, reason="no", actor="user:bob")
    assert AuditEntry.objects.filter(after__code="unknown_request").count() == 2


def test_gate_that_fails_in_the_end_refuses_the_request(store):
    made(metrics={**GOOD, "test": {**GOOD["test"], "log_loss": 0.7}})
    change_policy("flights", {"approvals": 1}, actor="cli:root")
    with pytest.raises(GateFailedError):
        ask()
    assert PromotionRequest.objects.get().state == "refused"


def test_account_without_the_right_may_do_neither(store):
    made()
    change_policy("flights", {"approvals": 1}, actor="cli:root")
    reader, promoter, approver = account("rea", "readonly"), account("pro", "promoter"), account("app", "approver")
    for actor in (reader, approver):
        with pytest.raises(RightMissingError, match=r"may not ask .* models_store.promote_modelversion"):
            ask(actor=actor)
    request = ask(actor=promoter).request
    other = account("pro2", "promoter")
    for actor in (reader, other):
        with pytest.raises(RightMissingError, match=r"may not approve .* models_store.approve_promotion"):
            approve(request, actor=actor)
        with pytest.raises(RightMissingError):
            reject(request, reason="no", actor=actor)
    assert AuditEntry.objects.filter(after__code="right_missing").count() == 6
    assert approve(request, actor=approver).state == "applied"


def test_inactive_account_may_do_nothing(store):
    request = waiting()
    approver = account("app", "approver")
    User.objects.update(is_active=False)
    with pytest.raises(RightMissingError):
        approve(request, actor=approver)


def test_policy_that_separates_roles_asks_for_them_whatever_else_somebody_may(store):
    made()
    change_policy("flights", {"approvals": 1, "separate_roles": True}, actor="cli:root")
    admin, promoter, approver = account("adm", "admin"), account("pro", "promoter"), account("app", "approver")
    root = User.objects.create_superuser("root2")
    for actor in (admin, "user:root2", "cli:nobody"):
        with pytest.raises(RightMissingError, match="separates roles: a member of promoter asks"):
            ask(actor=actor)
    request = ask(actor=promoter).request
    for actor in (admin, "user:root2", "cli:nobody"):
        with pytest.raises(RightMissingError, match="separates roles: a member of approver approves"):
            approve(request, actor=actor)
    root.groups.add(Group.objects.get(name="approver"))
    with pytest.raises(OwnRequestError):
        approve(request, actor=promoter)
    assert approve(request, actor=approver).state == "applied"


def test_every_step_is_told_to_the_outbox_in_its_transaction(store):
    request = waiting()
    approve(request, actor="user:bob")
    kinds = list(OutboxEvent.objects.order_by("id").values_list("kind", flat=True))
    assert kinds == ["promotion.requested", "promotion.approved", "promotion.applied"]
    told = OutboxEvent.objects.get(kind="promotion.applied").payload
    said = {"model": "flights", "version": 1, "production": 1, "actor": "user:ann", "approved_by": ["bob"]}
    assert told.items() >= said.items()
