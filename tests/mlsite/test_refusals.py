"""Writes that a door refuses are audited: of callers who are known, and not more than can be read."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from mlsite.refusals import RATE
from models_store.actions.verify_audit import verify_audit
from models_store.models import AuditEntry
from predictions.adapters import limits
from tests.callers import bearer

PROMOTE = "/api/v1/models/flights/versions/1/promote"


@pytest.fixture(autouse=True)
def place(var_dir, transactional_db) -> Any:
    """Give each test counts of its own."""
    yield
    for counter in limits._counters.values():
        counter.close()
    limits._counters.clear()


def send(address: str = PROMOTE, method: str = "POST", body: bytes = b"{}", **headers: str) -> int:
    client = Client(headers=headers)
    return client.generic(method, address, body, content_type="application/json").status_code


def kept() -> list[AuditEntry]:
    return list(AuditEntry.objects.filter(action="request_refused").order_by("id"))


def test_write_refused_by_role_names_who_asked_for_what():
    assert send(**bearer("user", sub="eve"), **{"X-Request-ID": "of-eve"}) == 403
    (entry,) = kept()
    assert (entry.actor, entry.object_id, entry.request_id) == ("service:eve", PROMOTE, "of-eve")
    assert entry.before == {"method": "POST"}
    assert entry.after["code"] == "permission_denied"
    assert verify_audit().ok


def test_write_refused_by_its_form_is_kept_with_what_was_wrong():
    assert send(**bearer("promoter", sub="pam")) == 400
    assert "target_stage" in kept()[0].after["error"]


def test_one_caller_is_kept_ten_times_a_minute_and_others_still_are():
    limit = int(RATE.partition("/")[0])
    for _ in range(2 * limit + 5):
        send(**bearer("user", sub="eve"))
    # A minute may have ended in between.
    assert limit <= len(kept()) <= 2 * limit
    before = len(kept())
    send(**bearer("user", sub="bob"))
    assert len(kept()) == before + 1


@pytest.mark.parametrize(
    ("address", "method", "headers"),
    [
        (PROMOTE, "POST", {}),
        (PROMOTE, "POST", {"Authorization": "Bearer forged"}),
        ("/api/v1/models", "GET", bearer("stranger", sub="eve")),
        ("/api/v1/predict", "POST", bearer("readonly", sub="eve")),
        ("/api/v1/features/online", "POST", bearer("readonly", sub="eve")),
        ("/admin/models_store/modelversion/1/promote/", "POST", {}),
    ],
)
def test_strangers_and_reads_are_not_kept(address, method, headers):
    send(address, method, **headers)
    assert kept() == []


def test_console_keeps_what_it_forbids_but_not_what_another_site_sent(console_site):
    eve = User.objects.create_user("eve", is_staff=True)
    address = f"/admin/models_store/modelversion/{console_site[1].pk}/promote/"
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(eve)
    assert strict.post(address).status_code == 403
    assert kept() == []
    client = Client()
    client.force_login(eve)
    assert client.post(address).status_code == 403
    assert [(entry.actor, entry.object_id) for entry in kept()] == [("user:eve", address)]
