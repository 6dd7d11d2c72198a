"""The model card in the console: shown on a version's page, written by a dialog, taken away as a document."""

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from models_store.models import ModelVersion, RegisteredModel
from tests.mlsite.console_site import make_models, make_user
from tests.mlsite.test_console_actions import said

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def version() -> ModelVersion:
    return make_models()[1]


@pytest.fixture
def ada(version: ModelVersion) -> Client:
    make_user()
    client = Client()
    client.force_login(User.objects.get(username="ada"))
    return client


def page(client: Client, version: ModelVersion) -> str:
    return client.get(reverse("admin:models_store_modelversion_change", args=[version.pk])).content.decode()


def test_card_is_written_and_shown_on_the_page_of_each_version(ada: Client, version: ModelVersion) -> None:
    assert "parts missing" in page(ada, version)
    address = reverse("admin:models_store_registeredmodel_write_card", args=[version.model_id])
    RegisteredModel.objects.update(limits="written by somebody else")
    form = {"_form_submitted": "on", "purpose": "<b>Late</b> flights", "limits": "written by somebody else"}
    answer = ada.post(address, form | {"intended_use": "", "owner": "operations", "reason": "first words"})
    assert said(answer).startswith("The card of")
    model = RegisteredModel.objects.get()
    assert (model.purpose, model.limits) == ("<b>Late</b> flights", "written by somebody else")
    shown = page(ada, version)
    assert "1 parts missing" in shown
    assert "&lt;b&gt;Late&lt;/b&gt; flights" in shown


def test_card_without_a_reason_asks_again(ada: Client, version: ModelVersion) -> None:
    address = reverse("admin:models_store_registeredmodel_write_card", args=[version.model_id])
    answer = ada.post(address, {"_form_submitted": "on", "purpose": "x", "reason": " "})
    assert "This field is required" in answer.content.decode()
    assert RegisteredModel.objects.get().purpose == ""


def test_card_is_taken_away_as_a_document(ada: Client, version: ModelVersion, client: Client) -> None:
    address = reverse("admin:models_store_modelversion_card", args=[version.pk])
    document = ada.get(address)
    assert document["Content-Type"] == "text/markdown; charset=utf-8"
    assert document.content.decode().startswith(f"# {version}\n")
    client.force_login(User.objects.create_user("ron", is_staff=True))
    assert client.get(address).status_code == 403


def test_person_without_the_right_may_not_write(version: ModelVersion, client: Client) -> None:
    client.force_login(User.objects.create_user("ron", is_staff=True))
    address = reverse("admin:models_store_registeredmodel_write_card", args=[version.model_id])
    assert client.post(address, {"_form_submitted": "on", "purpose": "x", "reason": "y"}).status_code == 403
    assert RegisteredModel.objects.get().purpose == ""
