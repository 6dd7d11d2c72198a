"""A model's life as people live it in the console, from training to a rollback and the audit."""

import pytest
from django.contrib.auth.models import Group, User
from playwright.sync_api import Page
from pytest_django.live_server_helper import LiveServer

from features.actions.ingest import ingest
from features.core.schema import ColumnRoles
from features.ground.paths import var_path
from features.ground.roles import ADMIN, APPROVER, PROMOTER, ROLES
from models_store.actions.change_policy import change_policy
from models_store.models import ModelVersion, RegisteredModel
from pipeline.actions.runs import execute_run
from pipeline.models import Run
from predictions.actions.ensure_roles import ensure_roles
from tests.browser.chromium import Watch, open_dialog, sign_in
from tests.mlsite.console_models import flights

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900), pytest.mark.django_db(transaction=True)]
PASSWORD = "correct horse"


@pytest.fixture
def people() -> None:
    ensure_roles(ROLES, promoters=(ADMIN, PROMOTER), approvers=(ADMIN, APPROVER), waivers=(ADMIN,))
    for name, role in (("ada", ADMIN), ("grace", APPROVER)):
        person = User.objects.create_user(name, password=PASSWORD, is_staff=True)
        person.groups.add(Group.objects.get(name=role))


def act(page: Page, name: str, **fields: str) -> None:
    """Open a dialog, fill it in, send it, and wait for the page that follows."""
    open_dialog(page, name)
    for field, value in fields.items():
        place = page.locator(f"#dialog-form [name={field}]")
        if place.evaluate("field => field.tagName") == "SELECT":
            place.select_option(value)
        else:
            place.fill(value)
    with page.expect_navigation():
        page.click("#modal-content button[type=submit]")


def train(page: Page, address: str, estimator: str) -> ModelVersion:
    """Train from the dataset's page, and follow the run until the page says that it has ended."""
    page.goto(address)
    act(page, "train", model="late", estimator=estimator, reason="A first look.")
    page.wait_for_selector(".c-run")
    run = Run.objects.get(state="queued")
    done = execute_run(run.pk, worker="here:1")
    assert done is not None
    assert done.state == "succeeded", done.error
    # Nobody reloads: the page asks by itself.
    page.wait_for_selector(".c-run[data-ended='1']")
    assert "done" in page.locator(".c-log").inner_text()
    page.get_by_role("link", name="late@").first.click()
    page.wait_for_url("**/modelversion/**")
    return ModelVersion.objects.latest("pk")


def test_model_from_training_to_rollback(
    people: None, page_of_nobody: Page, watch: Watch, live_server: LiveServer
) -> None:
    page, admin = page_of_nobody, f"{live_server.url}/admin"
    file = var_path("inbox", "flights.csv")
    file.parent.mkdir(parents=True, exist_ok=True)
    flights().to_pandas().to_csv(file, index=False)
    roles = ColumnRoles(target="late", timestamp="scheduled_at")
    ingest("flights", [file], actor="cli:ada", roles=roles)
    sign_in(page, live_server.url)
    page.goto(f"{admin}/features/dataset/")
    page.get_by_role("link", name="flights", exact=True).click()
    page.wait_for_url("**/change/")
    dataset = page.url

    first = train(page, dataset, "logistic_regression")
    act(page, "promote", target_stage="production", reason="The first one.")
    assert page.get_by_text("late@1 is now production.").is_visible()
    change_policy("late", {"approvals": 1}, actor="cli:root")

    second = train(page, dataset, "hist_gradient_boosting")
    act(page, "evaluate", target_stage="shadow")
    assert page.locator("section[aria-label=Gates] tbody tr").count() >= 3
    act(page, "promote", target_stage="production", reason="Better by night.")
    if page.get_by_text("may not go to production").count():
        # Its gates say no on these rows: an administrator takes them on herself, by name.
        open_dialog(page, "promote")
        for gate in page.locator("#dialog-form [name^=waive_]").all():
            gate.fill("Only the order of scores is used.")
        page.select_option("#dialog-form [name=target_stage]", "production")
        page.fill("#dialog-form [name=reason]", "Better by night.")
        with page.expect_navigation():
            page.click("#modal-content button[type=submit]")
    assert page.get_by_text("waits for approval to become production").is_visible()
    page.goto(f"{admin}/")
    assert page.locator("section[aria-label='Waiting for approval']").get_by_text("Better by night.").is_visible()

    page.context.clear_cookies()
    sign_in(page, live_server.url, "grace")
    page.locator("section[aria-label='Waiting for approval'] a").first.click()
    page.wait_for_url("**/promotionrequest/**")
    act(page, "approve", reason="I looked at the slices.")
    assert page.get_by_text("late@2 is now production.").is_visible()
    assert (RegisteredModel.objects.get().generation, stages()) == (2, {1: "archived", 2: "production"})
    page.goto(f"{admin}/")
    assert page.locator("section[aria-label=Models]").get_by_text("@2").is_visible()

    page.goto(f"{admin}/models_store/modelversion/{first.pk}/change/")
    page.get_by_role("link", name="Compare").first.click()
    page.wait_for_url("**/compare/**")
    assert page.locator("section[aria-label=Metrics] thead").inner_text().lower().count("late@") == 2

    page.context.clear_cookies()
    sign_in(page, live_server.url)
    page.goto(f"{admin}/models_store/registeredmodel/{second.model_id}/change/")
    act(page, "roll-back", reason="Late flights doubled.")
    assert page.get_by_text("late: back from 2 to 1.").is_visible()
    assert stages() == {1: "production", 2: "archived"}

    page.goto(f"{admin}/models_store/auditentry/")
    told = page.locator("#result_list").inner_text()
    for said in ("enqueue_run", "promote", "approve", "rollback"):
        assert said in told
    assert watch.errors == []
    assert watch.foreign == []


def stages() -> dict[int, str]:
    return dict(ModelVersion.objects.values_list("number", "stage"))
