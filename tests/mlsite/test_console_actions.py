"""Promote, evaluate and roll back from the console: the same actions as everywhere."""

from html import unescape

import pytest
from django.contrib.auth.models import User
from django.contrib.messages import get_messages
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from models_store.models import AuditEntry, GateResult, ModelVersion, RegisteredModel
from tests.mlsite.console_dialogs import submit
from tests.mlsite.console_site import make_models, make_user

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def versions() -> dict[int, ModelVersion]:
    return make_models()


@pytest.fixture
def ada(versions: dict[int, ModelVersion]) -> Client:
    make_user()
    client = Client()
    client.force_login(User.objects.get(username="ada"))
    return client


def ask(client: Client, version: ModelVersion, **fields: object) -> HttpResponse:
    """Submit the promote dialog as the page does."""
    form = {"_form_submitted": "on", "target_stage": "production", "reason": "Better on the held-out week."}
    form["expected_generation"] = str(RegisteredModel.objects.get().generation)
    address = reverse("admin:models_store_modelversion_promote", args=[version.pk])
    return client.post(address, form | fields, headers={"HX-Request": "true"})


def said(answer: HttpResponse) -> str:
    """Return the message that the next page shows."""
    return " ".join(str(message) for message in get_messages(answer.wsgi_request))


def stages() -> list[str]:
    return list(ModelVersion.objects.order_by("number").values_list("stage", flat=True))


def test_promotion_changes_the_stage_and_names_who_asked(ada: Client, versions: dict[int, ModelVersion]) -> None:
    answer = ask(ada, versions[2], target_stage="canary", percent="25")
    assert answer["HX-Redirect"] == f"/admin/models_store/modelversion/{versions[2].pk}/change/"
    assert said(answer) == "late-arrivals@2 is now canary. It takes 25 % of requests."
    assert stages() == ["production", "canary", "candidate"]
    entry = AuditEntry.objects.filter(action="promote").latest("id")
    assert (entry.actor, entry.reason) == ("user:ada", "Better on the held-out week.")
    assert RegisteredModel.objects.get().canary_percent == 25


def test_refused_promotion_names_the_gate_and_changes_nothing(ada: Client, versions: dict[int, ModelVersion]) -> None:
    answer = ask(ada, versions[3])
    assert "may not go to production" in said(answer)
    assert "better_than_baseline (wanted log_loss below" in said(answer)
    assert stages() == ["production", "candidate", "candidate"]
    page = ada.get(answer["HX-Redirect"]).content.decode()
    assert page.index("better than baseline") < page.index("artefact verified")


def test_promotion_without_a_reason_asks_again(ada: Client, versions: dict[int, ModelVersion]) -> None:
    answer = ask(ada, versions[2], reason="  ")
    assert answer.status_code == 200
    assert "This field is required" in answer.content.decode()
    assert stages() == ["production", "candidate", "candidate"]


def test_percent_is_refused_for_a_stage_that_has_none(ada: Client, versions: dict[int, ModelVersion]) -> None:
    answer = ask(ada, versions[2], target_stage="shadow", percent="10")
    assert "Only a canary takes a percent" in answer.content.decode()
    assert stages() == ["production", "candidate", "candidate"]


def test_stale_dialog_is_refused(ada: Client, versions: dict[int, ModelVersion]) -> None:
    answer = ask(ada, versions[2], target_stage="canary", expected_generation="0")
    assert "you saw generation 0" in said(answer)
    assert stages() == ["production", "candidate", "candidate"]


def test_person_without_the_right_is_forbidden(versions: dict[int, ModelVersion], client: Client) -> None:
    client.force_login(User.objects.create_user("ron", is_staff=True))
    assert ask(client, versions[2]).status_code == 403
    assert stages() == ["production", "candidate", "candidate"]


def test_promotion_from_another_site_is_forbidden(ada: Client, versions: dict[int, ModelVersion]) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(User.objects.get(username="ada"))
    assert ask(strict, versions[2]).status_code == 403
    assert stages() == ["production", "candidate", "candidate"]


def test_archived_version_is_not_promoted_and_says_how_it_comes_back(
    ada: Client, versions: dict[int, ModelVersion]
) -> None:
    ModelVersion.objects.filter(pk=versions[3].pk).update(stage="archived")
    dialog = reverse("admin:models_store_modelversion_promote", args=[versions[3].pk])
    page = ada.get(reverse("admin:models_store_modelversion_change", args=[versions[3].pk])).content.decode()
    assert dialog not in page
    assert "To bring it back: Roll back, on the page of" in unescape(page)
    assert ada.get(dialog).status_code == 403


def test_dialog_of_an_unknown_version_is_refused(ada: Client) -> None:
    address = reverse("admin:models_store_modelversion_promote", args=[999])
    form = {"_form_submitted": "on", "target_stage": "production", "reason": "x", "expected_generation": "0"}
    assert ada.get(address).status_code == 404
    assert ada.post(address, form).status_code == 404
    assert stages() == ["production", "candidate", "candidate"]


def test_evaluation_keeps_its_results_and_says_what_failed(ada: Client, versions: dict[int, ModelVersion]) -> None:
    address = reverse("admin:models_store_modelversion_evaluate", args=[versions[3].pk])
    answer = ada.post(address, {"_form_submitted": "on", "target_stage": "production"})
    assert answer.status_code == 302
    assert "gates pass. Failed: " in said(answer)
    assert GateResult.objects.filter(version=versions[3], passed=False).exists()
    assert stages() == ["production", "candidate", "candidate"]


def test_rollback_brings_the_earlier_version_back(ada: Client, versions: dict[int, ModelVersion]) -> None:
    RegisteredModel.objects.update(policy={"stages": {"production": ["artefact_verified"]}})
    assert said(ask(ada, versions[2])) == "late-arrivals@2 is now production."
    address = reverse("admin:models_store_registeredmodel_roll_back", args=[versions[1].model_id])
    answer = submit(ada, address, to="", reason="Too slow.")
    assert said(answer).endswith("late-arrivals: back from 2 to 1.")
    assert stages()[0] == "production"


def test_rollback_with_nothing_to_return_to_says_so(ada: Client, versions: dict[int, ModelVersion]) -> None:
    address = reverse("admin:models_store_registeredmodel_roll_back", args=[versions[1].model_id])
    answer = submit(ada, address, to="", reason="Too slow.")
    assert said(answer)
    assert stages() == ["production", "candidate", "candidate"]


def test_drill_ends_where_it_began_and_says_what_it_took(ada: Client, versions: dict[int, ModelVersion]) -> None:
    RegisteredModel.objects.update(policy={"stages": {"production": ["artefact_verified"]}})
    ask(ada, versions[2])
    address = reverse("admin:models_store_registeredmodel_drill", args=[versions[1].model_id])
    assert said(ada.post(address, {"_form_submitted": "on", "reason": "Monthly."})).endswith("none failed.")
    assert stages() == ["archived", "production", "candidate"]
    assert AuditEntry.objects.latest("id").action == "rollback_drill"
