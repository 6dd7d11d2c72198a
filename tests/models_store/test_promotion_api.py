"""Asking, approving and rejecting over HTTP."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from models_store.actions.change_policy import change_policy
from models_store.models import AuditEntry, PromotionRequest
from predictions.actions.issue_token import issue_token
from tests.models_store.made import GOOD, made
from tests.models_store.people import account, ask, overdue, stages, waiting

PROMOTE = "/api/v1/models/flights/versions/1/promote"
ASKED = {"target_stage": "production", "reason": "better"}


def post(address: str, who: str, role: str, body: Any = None) -> Any:
    token = issue_token(who, role=role, minutes=5, create=True).token
    headers = {"Authorization": f"Bearer {token}", "X-Request-ID": f"of-{who}"}
    return Client().post(address, body or {}, content_type="application/json", headers=headers)


def test_promotion_is_asked_for_approved_and_applied(store):
    made()
    change_policy("flights", {"approvals": 1}, actor="cli:root")
    asked = post(PROMOTE, "pam", "promoter", ASKED)
    assert (asked.status_code, asked.json()["state"]) == (202, "waiting")
    number = asked.json()["request"]
    own = post(f"/api/v1/promotions/{number}/approve", "pam", "approver")
    assert (own.status_code, own.json()["code"]) == (403, "own_request")
    done = post(f"/api/v1/promotions/{number}/approve", "apu", "approver", {"reason": "seen"})
    assert (done.status_code, done.json()["state"], done.json()["generation"]) == (200, "applied", 1)
    assert stages() == {1: "production"}
    assert AuditEntry.objects.get(action="approve").request_id == "of-apu"
    late = post(f"/api/v1/promotions/{number}/approve", "abe", "approver")
    assert (late.status_code, late.json()["code"]) == (409, "request_closed")


def test_request_is_shown_with_who_said_what(store):
    number = waiting(2)
    post(f"/api/v1/promotions/{number}/approve", "apu", "approver", {"reason": "seen"})
    token = issue_token("rea", role="readonly", minutes=5, create=True).token
    headers = {"Authorization": f"Bearer {token}"}
    shown = Client().get(f"/api/v1/promotions/{number}", headers=headers).json()
    assert shown.items() >= {"version": "flights@1", "state": "waiting", "requester": "user:ann"}.items()
    assert [(word["approver"], word["reason"]) for word in shown["approvals"]] == [("apu", "seen")]
    found = Client().get("/api/v1/promotions?state=waiting", headers=headers).json()["results"]
    assert [row["request"] for row in found] == [number]
    assert Client().get("/api/v1/promotions?state=lost", headers=headers).status_code == 400
    assert Client().get("/api/v1/promotions/999", headers=headers).json()["code"] == "unknown_request"


def test_rejection_needs_a_reason(store):
    number = waiting()
    assert post(f"/api/v1/promotions/{number}/reject", "apu", "approver").status_code == 400
    done = post(f"/api/v1/promotions/{number}/reject", "apu", "approver", {"reason": "no"})
    assert (done.status_code, done.json()["state"]) == (200, "rejected")


@pytest.mark.parametrize(("role", "status"), [("user", 403), ("readonly", 403), ("approver", 403), ("promoter", 200)])
def test_role_that_asks(store, role, status):
    made()
    account("roy")
    assert post(PROMOTE, "roy", role, ASKED).status_code == status


@pytest.mark.parametrize(("role", "status"), [("user", 403), ("readonly", 403), ("promoter", 403), ("approver", 200)])
def test_role_that_approves(store, role, status):
    number = waiting()
    account("roy")
    assert post(f"/api/v1/promotions/{number}/approve", "roy", role).status_code == status


def test_token_does_not_outlive_the_right(store):
    number = waiting()
    token = issue_token("apu", role="approver", minutes=5, create=True).token
    User.objects.get(username="apu").groups.clear()
    headers = {"Authorization": f"Bearer {token}"}
    refused = Client().post(f"/api/v1/promotions/{number}/approve", {}, "application/json", headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (403, "right_missing")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({**ASKED, "reason": ""}, 400, "invalid_input"),
        ({**ASKED, "reason": "x" * 100_000}, 400, "invalid_input"),
        ({**ASKED, "target_stage": "moon"}, 400, "invalid_input"),
        ({**ASKED, "path": "/etc"}, 400, "invalid_input"),
        ({**ASKED, "percent": 10}, 400, "bad_promotion"),
        ({**ASKED, "expected_generation": 7}, 409, "promotion_conflict"),
        ({**ASKED, "waive": {"artefact_verified": "x"}}, 400, "bad_promotion"),
        ({**ASKED, "waive": {"primary_metric": "x"}}, 403, "right_missing"),
        ({**ASKED, "not_before": "2999-01-01T00:00:00Z"}, 400, "bad_promotion"),
        ([], 400, "invalid_input"),
    ],
)
def test_bad_request_is_told_and_changes_nothing(store, body, status, code):
    made()
    answer = post(PROMOTE, "pam", "promoter", body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert stages() == {1: "candidate"}
    assert not PromotionRequest.objects.exists()


def test_what_is_not_there_or_may_not_move_is_told(store):
    made(metrics={**GOOD, "test": {**GOOD["test"], "log_loss": 0.7}})
    made()
    ask("flights@2")
    for address, status, code in [
        ("/api/v1/models/flights/versions/9/promote", 404, "unknown_version"),
        ("/api/v1/models/delays/versions/1/promote", 404, "unknown_model"),
        ("/api/v1/models/<b>/versions/1/promote", 400, "bad_spec"),
        ("/api/v1/models/flights/versions/2/promote", 422, "already_there"),
        (PROMOTE, 422, "gate_failed"),
    ]:
        answer = post(address, "pam", "promoter", ASKED)
        assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_expired_request_is_told(store):
    number = waiting()
    overdue(number)
    answer = post(f"/api/v1/promotions/{number}/approve", "apu", "approver")
    assert (answer.status_code, answer.json()["code"]) == (422, "request_expired")
