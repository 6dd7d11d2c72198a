"""A gate may be waived: by name, by whoever holds the right, with a reason that stays."""

import pytest
from django.db import IntegrityError, transaction

from models_store.actions.approve import approve
from models_store.actions.change_policy import change_policy
from models_store.errors import BadPromotionError, GateFailedError, RightMissingError
from models_store.models import AuditEntry, GateResult, ModelVersion, PromotionRequest, Waiver
from models_store.presenting import request_summary, version_detail
from tests.models_store.made import GOOD, made
from tests.models_store.people import account, ask, stages

BAD = {**GOOD, "test": {**GOOD["test"], "log_loss": 0.7}}
WHY = {"better_than_baseline": "the baseline was measured on another month"}


@pytest.fixture
def admin(store) -> str:
    made(metrics=BAD)
    return account("adm", "admin")


def test_waived_gate_lets_the_promotion_through_and_is_shown_everywhere(admin):
    done = ask(actor=admin, waive=WHY)
    assert (done.state, stages()) == ("applied", {1: "production"})
    assert [found.gate for found in done.gates if not found.passed] == ["better_than_baseline"]
    waiver = Waiver.objects.get()
    assert (waiver.gate, waiver.actor, waiver.reason) == ("better_than_baseline", admin, WHY["better_than_baseline"])
    assert waiver.observed == "log_loss 0.7"
    assert AuditEntry.objects.get(action="promote").after["waived"] == WHY
    assert request_summary(PromotionRequest.objects.presented().get())["waivers"][0]["reason"] == waiver.reason
    assert version_detail(ModelVersion.objects.get())["waivers"][0]["request"] == done.request
    assert GateResult.objects.get(passed=False).gate == "better_than_baseline"


def test_waiver_is_part_of_what_approvers_agree_to(admin):
    change_policy("flights", {"approvals": 1}, actor="cli:root")
    request = ask(actor=admin, waive=WHY).request
    assert AuditEntry.objects.get(action="promote_requested").after["waived"] == WHY
    assert approve(request, actor="user:bob").state == "applied"
    assert AuditEntry.objects.get(action="promote").after.items() >= {"waived": WHY, "approved_by": ["bob"]}.items()


@pytest.mark.parametrize("roles", [("promoter",), ("promoter", "approver")])
def test_whoever_lacks_the_right_waives_nothing(admin, roles):
    for actor in (account("pro", *roles), "cli:root", "service:ci"):
        with pytest.raises(RightMissingError, match=r"may not waive a gate.*models_store.waive_gate"):
            ask(actor=actor, waive=WHY)
    assert not PromotionRequest.objects.exists()
    refusal = AuditEntry.objects.filter(action="promote_refused").first()
    assert (refusal.after["code"], refusal.before["waive"]) == ("right_missing", WHY)


@pytest.mark.parametrize(
    ("waive", "said"),
    [
        ({"all": "please"}, "gates that may be waived before production are"),
        ({"better_than_linear": "not asked"}, "got 'better_than_linear'"),
        ({"artefact_verified": "trust me"}, "can't be waived: nothing serves without a valid signature"),
        ({"better_than_baseline": "  "}, "a reason of 1 to 2000 characters"),
        ({"better_than_baseline": "x" * 100_000}, "a reason of 1 to 2000 characters"),
        ({**WHY, "primary_metric": "just in case"}, "primary_metric passes: there is nothing to waive"),
    ],
)
def test_waiver_of_anything_else_is_refused(admin, waive, said):
    with pytest.raises(BadPromotionError, match=said):
        ask(actor=admin, waive=waive)
    assert stages() == {1: "candidate"}
    assert not PromotionRequest.objects.exists()
    assert AuditEntry.objects.get(action="promote_refused").after["code"] == "bad_promotion"


def test_gate_that_is_not_named_still_refuses(admin):
    settings = {"primary_metric": {"bound": 0.5}}
    change_policy("flights", {"settings": settings}, actor="cli:root")
    with pytest.raises(GateFailedError, match="primary_metric"):
        ask(actor=admin, waive=WHY)
    assert (PromotionRequest.objects.get().state, Waiver.objects.count()) == ("refused", 1)


def test_waiver_is_never_taken_back(admin):
    ask(actor=admin, waive=WHY)
    for deed in (lambda: Waiver.objects.update(reason="other"), Waiver.objects.all().delete):
        with pytest.raises(IntegrityError, match="models_store_waiver is append-only"), transaction.atomic():
            deed()
    assert Waiver.objects.get().reason == WHY["better_than_baseline"]
