"""Promotions for later: a time, a window, a freeze."""

from datetime import timedelta

import pytest
from django.utils import timezone

from models_store.actions.apply_due import apply_due
from models_store.actions.approve import approve
from models_store.actions.change_policy import change_policy
from models_store.actions.reject import reject
from models_store.actions.rollback import rollback
from models_store.errors import BadPromotionError, OutsideWindowError, PromotionFrozenError
from models_store.models import AuditEntry, ModelVersion, OutboxEvent, PromotionRequest
from tests.models_store.made import GOOD, made
from tests.models_store.people import ask, due, overdue, stages, state, waiting

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def later(hours: float = 1):
    return timezone.now() + timedelta(hours=hours)


def frozen(hours: float = 1) -> dict:
    end = later(hours)
    return {"freezes": [{"from": "2020-01-01", "to": end.isoformat(), "reason": "year's end"}]}


def closed() -> dict:
    """Return a window that is not open for a day and more, whatever the time is."""
    day = DAYS[(timezone.now().weekday() + 3) % 7]
    return {"windows": [{"days": [day], "from": "09:00", "to": "10:00"}]}


def policy(**said) -> None:
    change_policy("flights", said, actor="cli:root")


def test_promotion_for_later_waits_for_its_time(store):
    made()
    done = ask(not_before=later())
    assert (done.state, done.generation, stages()) == ("scheduled", 0, {1: "candidate"})
    assert apply_due().applied == []
    due(done.request)
    assert apply_due().applied == [done.request]
    assert (state(done.request), stages()) == ("applied", {1: "production"})
    assert (store / "models" / "flights" / "production").exists()
    assert AuditEntry.objects.get(action="promote").actor == "user:ann"
    assert apply_due().applied == []


def test_time_that_has_passed_is_now(store):
    made()
    assert ask(not_before=later(-1)).state == "applied"


@pytest.mark.parametrize("when", [later(24 * 400), later().replace(tzinfo=None)])
def test_time_far_ahead_or_without_a_zone_is_refused(store, when):
    made()
    with pytest.raises(BadPromotionError, match="not_before is a time with a zone, at most 366 days ahead"):
        ask(not_before=when)


def test_approved_request_waits_for_its_time(store):
    made()
    policy(approvals=1)
    request = ask(not_before=later()).request
    assert state(request) == "waiting"
    assert approve(request, actor="user:bob").state == "scheduled"
    due(request)
    apply_due()
    assert stages() == {1: "production"}
    assert AuditEntry.objects.get(action="promote").after["approved_by"] == ["bob"]


def test_time_alone_approves_nothing(store):
    request = waiting()
    due(request)
    assert apply_due().applied == []
    assert (state(request), stages()) == ("waiting", {1: "candidate"})


def test_freeze_refuses_with_its_reason(store):
    made()
    policy(**frozen())
    for stage in ("production", "canary"):
        for when in (None, later(0.5)):
            with pytest.raises(PromotionFrozenError, match=r"frozen until .* \(year's end\)"):
                ask(stage=stage, not_before=when)
    assert stages() == {1: "candidate"}
    assert AuditEntry.objects.filter(after__code="promotion_frozen").count() == 4
    assert ask(stage="shadow").state == "applied"
    assert ask(not_before=later(2)).state == "scheduled"


def test_rollback_is_never_frozen(store):
    made()
    made()
    ask("flights@1")
    ask("flights@2")
    policy(approvals=3, **frozen())
    assert rollback("flights", reason="broken", actor="user:ann").to_version == 1


def test_freeze_that_began_later_holds_what_is_due(store):
    made()
    request = ask(not_before=later()).request
    policy(**frozen())
    due(request)
    assert apply_due().applied == []
    assert state(request) == "scheduled"
    policy()
    assert apply_due().applied == [request]


def test_last_approval_in_a_freeze_is_kept_for_after_it(store):
    request = waiting()
    policy(approvals=1, **frozen())
    assert approve(request, actor="user:bob").state == "scheduled"
    policy(approvals=1)
    assert apply_due().applied == [request]


def test_closed_window_refuses_now_and_takes_a_request_for_later(store):
    made()
    policy(**closed())
    with pytest.raises(OutsideWindowError, match="the next one opens at"):
        ask()
    done = ask(not_before=timezone.now())
    assert done.state == "scheduled"
    assert AuditEntry.objects.get(action="promote_scheduled").after["opens"] > timezone.now().isoformat()
    assert apply_due().applied == []


def test_scheduled_request_is_decided_on_what_is_there_when_its_time_comes(store, caplog):
    made()
    request = ask(not_before=later()).request
    ModelVersion.objects.update(metrics={**GOOD, "test": {**GOOD["test"], "log_loss": 0.9}})
    due(request)
    found = apply_due()
    assert (found.applied, found.ended) == ([], [request])
    assert (state(request), stages()) == ("void", {1: "candidate"})
    assert "was not applied" in caplog.text
    assert OutboxEvent.objects.filter(kind="promotion.void").exists()


def test_scheduled_request_expires_after_its_time_and_not_before(store):
    made()
    policy(request_expires_hours=2)
    request = PromotionRequest.objects.get(pk=ask(not_before=later(24)).request)
    assert request.expires_at == request.not_before + timedelta(hours=2)
    overdue(request.pk)
    assert apply_due().expired == [request.pk]
    assert state(request.pk) == "expired"


def test_scheduled_request_can_be_rejected(store):
    made()
    request = ask(not_before=later()).request
    reject(request, reason="not this week", actor="user:bob")
    due(request)
    assert apply_due().applied == []
    assert stages() == {1: "candidate"}


def test_one_request_that_fails_does_not_stop_the_next(store):
    made()
    made("delays")
    first = ask(not_before=later()).request
    second = ask("delays@1", not_before=later()).request
    ModelVersion.objects.filter(model__name="flights").update(metrics={})
    for request in (first, second):
        due(request)
    found = apply_due()
    assert (found.applied, found.ended) == ([second], [first])
