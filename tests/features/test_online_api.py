"""Newest values over HTTP: who may ask, for what, and what is said of each value."""

import json
from datetime import UTC, datetime

import pytest
from django.conf import settings
from django.contrib.auth.models import Group, User
from django.test import Client

from features.actions.apply_feature_view import apply_feature_view
from features.actions.materialize import materialize
from predictions.actions.issue_token import issue_token
from tests.features.test_snapshots import CARRIER

pytestmark = pytest.mark.django_db(transaction=True)
MOMENT = datetime(2013, 1, 3, 11, tzinfo=UTC)


@pytest.fixture
def ask(flights):
    apply_feature_view(CARRIER, actor="test")
    materialize("carrier", as_of=MOMENT, actor="test")

    def answer(body, role="user"):
        user, _ = User.objects.get_or_create(username=role)
        user.groups.set([Group.objects.get_or_create(name=role)[0]])
        token = issue_token(role, role=role, minutes=None, create=False).token
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {token}"}
        return Client().post("/api/v1/features/online", text, content_type="application/json", headers=headers)

    def asked(body, role="user"):
        response = answer(body, role)
        return response.status_code, response.json()

    asked.answer = answer
    return asked


def test_each_value_comes_with_age_and_status(ask):
    status, answer = ask({"view": "carrier", "entities": ["UA", {"carrier": "ZZ"}, "AA"]})
    assert status == 200
    assert (answer["view"], answer["version"], answer["as_of"]) == ("carrier", 1, "2013-01-03T11:00:00Z")
    united, nobody, american = answer["rows"]
    assert united["features"]["n_7d"] == {"value": 3, "age_seconds": united["age_seconds"], "status": "present"}
    assert united["event_at"] == "2013-01-02T11:30:00Z"
    assert nobody["features"]["n_7d"] == {"value": None, "age_seconds": None, "status": "missing"}
    assert american["features"]["last_delay"]["status"] == "missing"


def test_some_features_of_an_admin(ask):
    status, answer = ask({"view": "carrier@1", "entities": ["UA"], "features": ["late_7d"]}, role="admin")
    assert status == 200
    assert answer["rows"][0]["features"].keys() == answer["rows"][0]["values"].keys() == {"late_7d"}


@pytest.mark.parametrize("role", ["readonly", "promoter"])
def test_other_roles_are_refused(ask, role):
    assert ask({"view": "carrier", "entities": ["UA"]}, role=role)[0] == 403


@pytest.mark.parametrize(
    ("body", "status", "code", "text"),
    [
        ({"view": "none", "entities": ["UA"]}, 404, "unknown_feature_view", "no feature view is named 'none'"),
        ({"view": "carrier", "entities": []}, 400, "bad_entity", "name at least one entity"),
        ({"view": "carrier", "entities": [5]}, 400, "bad_entity", "is its key, a text, or an object with carrier"),
        ({"view": "carrier", "entities": [{"tail": "N1"}]}, 400, "bad_entity", "is named by carrier; got tail"),
        ({"view": "carrier", "entities": [{"carrier": [1]}]}, 400, "bad_entity", "takes a text or a number"),
        ({"view": "carrier", "entities": ["x" * 301]}, 400, "bad_entity", "a text of 1 to 300 characters"),
        ({"view": "carrier", "entities": ["a\x00"]}, 400, "bad_entity", "a text of 1 to 300 characters"),
        ({"view": "carrier", "entities": ["UA"], "features": ["x"]}, 404, "unknown_feature", "has no feature 'x'"),
        ({"view": "carrier", "entities": ["UA"], "features": []}, 400, "", "features"),
        ({"view": "a b", "entities": ["UA"]}, 400, "", "view"),
        ({"view": "carrier", "entities": "UA"}, 400, "", "entities"),
        ({"view": "carrier", "entities": ["UA"], "extra": 1}, 400, "", "unknown field; allowed: view"),
        (["carrier"], 400, "", "dictionary"),
    ],
)
def test_what_can_not_be_asked_says_why(ask, body, status, code, text):
    got, answer = ask(body)
    assert got == status
    assert text in json.dumps(answer, ensure_ascii=False)
    assert answer["code"] == (code or answer["code"])


def test_more_entities_than_a_request_may_hold_are_refused(ask):
    most = settings.CONFIG.security.max_rows
    status, answer = ask({"view": "carrier", "entities": ["UA"] * (most + 1)})
    assert (status, answer["code"]) == (413, "too_many_entities")
    assert answer["error"] == f"at most {most} entities may be asked for at once; got {most + 1}"


def test_a_caller_over_the_limit_is_refused_and_told(ask, monkeypatch, var_dir):
    monkeypatch.setattr(settings, "CONFIG", settings.CONFIG.model_copy(update={"rate_limit": "2/day"}))
    asked = {"view": "carrier", "entities": ["UA"]}
    told = [ask.answer(asked) for _ in range(3)]
    assert [(one.status_code, one["X-RateLimit-Limit"], one["X-RateLimit-Remaining"]) for one in told] == [
        (200, "2", "1"), (200, "2", "0"), (429, "2", "0"),
    ]  # fmt: skip
    assert (told[2].json()["code"], int(told[2]["Retry-After"]) > 0) == ("rate_limited", True)
    # Predictions are counted apart, and other callers too.
    assert ask(asked, role="admin")[0] == 200


def test_a_view_without_values_says_how_to_make_them(ask):
    apply_feature_view({**CARRIER, "ttl": "1d"}, actor="test")
    status, answer = ask({"view": "carrier", "entities": ["UA"]})
    assert (status, answer["code"]) == (422, "not_materialized")
