"""Every table of the product has a list and a page, and neither writes."""

from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client
from django.urls import reverse

import mlsite.urls  # noqa: F401  (registers the pages)
from features.ground.console import ReadOnlyAdmin
from features.ground.roles import ADMIN, PROMOTER, ROLES
from models_store.models import ModelVersion
from predictions.actions.ensure_roles import ensure_roles
from predictions.models import Prediction

APPS = ("features", "models_store", "predictions", "pipeline")
TABLES = [model for app in APPS for model in apps.get_app_config(app).get_models()]
DRESSED = [model for model in admin.site._registry if model._meta.app_label not in APPS]


def address(model: Any, page: str, *args: Any) -> str:
    """Return the address of a table's page."""
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


@pytest.mark.parametrize("model", TABLES, ids=lambda model: model.__name__)
def test_list_shows_rows_of_every_table(console: Client, model: Any) -> None:
    answer = console.get(address(model, "changelist"))
    assert answer.status_code == 200
    assert answer.context["cl"].result_count > 0


@pytest.mark.parametrize("model", TABLES, ids=lambda model: model.__name__)
def test_search_answers_whatever_is_typed(console: Client, model: Any) -> None:
    for typed in ("flights", "%'\"<b>", "5f2b1c1e-0000-4000-8000-000000000000"):
        assert console.get(address(model, "changelist"), {"q": typed}).status_code == 200


@pytest.mark.parametrize("model", TABLES, ids=lambda model: model.__name__)
def test_page_opens_for_every_table(console: Client, model: Any) -> None:
    for row in model.objects.all()[:3]:
        answer = console.get(address(model, "change", row.pk))
        assert answer.status_code == 200
        assert answer.context["panels"]


@pytest.mark.parametrize("model", TABLES, ids=lambda model: model.__name__)
def test_nothing_is_added_changed_or_deleted_by_hand(console: Client, model: Any) -> None:
    row = model.objects.first()
    assert isinstance(admin.site._registry[model], ReadOnlyAdmin)
    assert console.get(address(model, "add")).status_code == 403
    assert console.post(address(model, "change", row.pk), {"name": "other"}).status_code == 403
    assert console.post(address(model, "delete", row.pk), {"post": "yes"}).status_code == 403


@pytest.mark.parametrize("model", DRESSED, ids=lambda model: model.__name__)
def test_list_of_a_table_made_elsewhere_wears_the_same_dress(console: Client, model: Any) -> None:
    answer = console.get(address(model, "changelist"))
    assert answer.status_code == 200
    assert "unfold/css/styles.css" in answer.content.decode()


def test_reading_writes_nothing(console: Client, console_site: dict[int, ModelVersion]) -> None:
    statements: list[str] = []

    def watch(execute: Any, sql: str, *rest: Any) -> Any:
        statements.append(sql)
        return execute(sql, *rest)

    version = console_site[3]
    paths = [reverse("admin:index"), address(ModelVersion, "change", version.pk)]
    paths += [reverse(f"admin:models_store_modelversion_{name}", args=[version.pk]) for name in ("promote", "evaluate")]
    paths += [reverse("admin:models_store_registeredmodel_roll_back", args=[version.model_id])]
    with connection.execute_wrapper(watch):
        for path in paths:
            assert console.get(path).status_code == 200
    assert not [sql for sql in statements if not sql.startswith(("SELECT", "SAVEPOINT", "RELEASE"))]


def test_version_page_says_what_matters_first(console: Client, console_site: dict[int, ModelVersion]) -> None:
    page = console.get(address(ModelVersion, "change", console_site[1].pk)).content.decode()
    titles = ["late-arrivals@1", "Metrics", "Gates", "Calibration", "Lineage", "Inputs, in order", "Try it"]
    found = [page.index(f'aria-label="{title}"') for title in titles]
    assert found == sorted(found)
    assert "better than the baseline&#x27;s" in page
    assert "http://testserver/api/v1/models/late-arrivals/predict" in page
    assert "flights@2" in page


def test_prediction_is_found_by_its_whole_id(console: Client) -> None:
    wanted = Prediction.objects.first()
    assert wanted is not None
    for typed in (str(wanted.pk), wanted.pk.hex, wanted.request_id):
        answer = console.get(address(Prediction, "changelist"), {"q": typed})
        assert [row.pk for row in answer.context["cl"].result_list] == [wanted.pk]


def test_person_without_permission_sees_no_table(
    console_site: dict[int, ModelVersion], client: Client, db: None
) -> None:
    client.force_login(User.objects.create_user("eve", is_staff=True))
    assert client.get(address(ModelVersion, "changelist")).status_code == 403
    assert "Model versions" not in client.get(reverse("admin:index")).content.decode()


@pytest.mark.parametrize(
    ("role", "promotes"),
    [("readonly", False), ("user", False), ("approver", False), ("promoter", True), ("admin", True)],
)
def test_role_reads_everything_and_a_promoter_acts(
    console_site: dict[int, ModelVersion], client: Client, db: None, role: str, promotes: bool
) -> None:
    ensure_roles(ROLES, promoters=(ADMIN, PROMOTER))
    person = User.objects.create_user("ron", is_staff=True)
    person.groups.add(Group.objects.get(name=role))
    client.force_login(person)
    for model in TABLES:
        assert client.get(address(model, "change", model.objects.first().pk)).status_code == 200
    page = client.get(address(ModelVersion, "change", console_site[3].pk)).content.decode()
    assert "Drift reports" in page
    assert "Users" not in page
    assert ("/promote/" in page) is promotes
    dialog = reverse("admin:models_store_modelversion_promote", args=[console_site[3].pk])
    assert client.get(dialog).status_code == (200 if promotes else 403)


def test_role_without_staff_status_stays_outside(
    console_site: dict[int, ModelVersion], client: Client, db: None
) -> None:
    ensure_roles(ROLES, promoters=())
    person = User.objects.create_user("una")
    person.groups.add(Group.objects.get(name="admin"))
    client.force_login(person)
    assert client.get(address(ModelVersion, "changelist")).status_code == 302


def test_token_itself_is_never_shown(console: Client) -> None:
    registered = {model._meta.model_name: model for model in admin.site._registry}
    outstanding = registered["outstandingtoken"]
    row = outstanding.objects.create(jti="j" * 32, token="very-secret-refresh", expires_at="2030-01-01T00:00Z")
    assert "very-secret-refresh" not in console.get(address(outstanding, "change", row.pk)).content.decode()
