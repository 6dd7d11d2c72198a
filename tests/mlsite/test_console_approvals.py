"""Approve and reject from the console."""

import pytest
from django.contrib.auth.models import Group, User
from django.contrib.messages import get_messages
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from features.ground.console import page_of
from features.ground.roles import ADMIN, APPROVER, PROMOTER, ROLES
from models_store.actions.change_policy import change_policy
from models_store.actions.promote import promote
from models_store.models import Approval, AuditEntry, ModelVersion, PromotionRequest
from predictions.actions.ensure_roles import ensure_roles
from tests.mlsite.console_site import make_models

pytestmark = pytest.mark.django_db(transaction=True)
POLICY = {"approvals": 1, "stages": {"production": ["smoke_prediction_finite"]}}


def client_of(name: str, role: str) -> Client:
    ensure_roles(ROLES, promoters=(ADMIN, PROMOTER), approvers=(ADMIN, APPROVER), waivers=(ADMIN,))
    user = User.objects.filter(username=name).first() or User.objects.create_user(name, is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def waiting() -> PromotionRequest:
    versions = make_models()
    change_policy("late-arrivals", POLICY, actor="cli:root")
    client_of("pam", "promoter")
    asked = promote(str(versions[2]), target_stage="production", reason="a good <week>", actor="user:pam")
    return PromotionRequest.objects.get(pk=asked.request)


def address(deed: str, request: PromotionRequest) -> str:
    return reverse(f"admin:models_store_promotionrequest_{deed}", args=[request.pk])


def submit(client: Client, deed: str, request: PromotionRequest, reason: str) -> HttpResponse:
    fields = {"_form_submitted": "on", "reason": reason}
    return client.post(address(deed, request), fields, headers={"HX-Request": "true"})


def said(answer: HttpResponse) -> str:
    return " ".join(str(message) for message in get_messages(answer.wsgi_request))


def test_dialog_shows_what_is_asked_and_the_gates_and_writes_nothing(waiting: PromotionRequest) -> None:
    page = client_of("apu", "approver").get(address("approve", waiting)).content.decode()
    assert "user:pam asks: a good &lt;week&gt;" in page
    assert "smoke prediction finite" in page
    assert not Approval.objects.filter(request=waiting).exists()


def test_pages_say_who_is_waited_for_and_what_for(waiting: PromotionRequest) -> None:
    apu = client_of("apu", "approver")
    asked = apu.get(page_of(waiting)).content.decode()
    assert "one person has to approve it, an approver or admin other than user:pam" in asked
    assert "expires <time" in asked
    assert "in 6\xa0days" in asked
    assert "0 of 1 that the policy asks for" in asked
    version = apu.get(page_of(waiting.version)).content.decode()
    assert "Asked to become production: see <a" in version
    assert f"request {waiting.pk}</a>" in version


def test_approval_applies_the_promotion(waiting: PromotionRequest) -> None:
    answer = submit(client_of("apu", "approver"), "approve", waiting, "looked at the slices")
    assert said(answer) == "late-arrivals@2 is now production."
    assert ModelVersion.objects.get(number=2).stage == "production"
    entry = AuditEntry.objects.get(action="approve")
    assert (entry.actor, entry.reason) == ("user:apu", "looked at the slices")
    page = client_of("apu", "approver").get(answer["HX-Redirect"]).content.decode()
    assert "looked at the slices" in page
    assert address("approve", waiting) not in page


def test_rejection_needs_a_reason(waiting: PromotionRequest) -> None:
    apu = client_of("apu", "approver")
    assert "This field is required" in submit(apu, "reject", waiting, " ").content.decode()
    assert "is rejected" in said(submit(apu, "reject", waiting, "too early"))
    waiting.refresh_from_db()
    assert waiting.state == "rejected"


@pytest.mark.parametrize(
    ("name", "role", "approves", "rejects"),
    [
        ("pam", "promoter", 403, 200),  # her own
        ("pam", "approver", 403, 200),  # still her own
        ("pat", "promoter", 403, 403),
        ("rea", "readonly", 403, 403),
        ("uma", "user", 403, 403),
        ("apu", "approver", 200, 200),
        ("adm", "admin", 200, 200),
    ],
)
def test_role_that_may_give_a_word(
    waiting: PromotionRequest, name: str, role: str, approves: int, rejects: int
) -> None:
    client = client_of(name, role)
    assert client.get(address("approve", waiting)).status_code == approves
    assert client.get(address("reject", waiting)).status_code == rejects
    if approves == 403:
        assert submit(client, "approve", waiting, "").status_code == 403
        assert not Approval.objects.filter(request=waiting).exists()


def test_refusal_of_the_action_is_said(waiting: PromotionRequest) -> None:
    change_policy("late-arrivals", POLICY | {"separate_roles": True}, actor="cli:root")
    answer = submit(client_of("adm", "admin"), "approve", waiting, "")
    assert "a member of approver approves, and user:adm is none" in said(answer)
