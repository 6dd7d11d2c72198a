"""The console as a person uses it, in a real browser."""

import json

import pytest
from playwright.sync_api import Page
from pytest_django.live_server_helper import LiveServer

from models_store.models import ModelVersion
from tests.browser.chromium import Watch, open_dialog

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
DRAWN = (
    "() => [...document.querySelectorAll('canvas.chart')].map((c) => Boolean(Chart.getChart(c)?.data.datasets.length))"
)


def address(live_server: LiveServer, version: ModelVersion) -> str:
    """Return the address of a version's page."""
    return f"{live_server.url}/admin/models_store/modelversion/{version.pk}/change/"


def promote(page: Page, reason: str, stage: str = "production") -> None:
    """Fill in the promote dialog and submit it."""
    open_dialog(page, "promote")
    page.select_option("#dialog-form select[name=target_stage]", stage)
    page.fill("#dialog-form textarea[name=reason]", reason)
    with page.expect_navigation():
        page.click("#modal-content button[type=submit]")


def test_dashboard_draws_its_charts_and_asks_no_other_host(page: Page, watch: Watch) -> None:
    page.wait_for_selector("canvas.chart")
    assert page.evaluate(DRAWN) == [True, True]
    assert page.get_by_text("late-arrivals").first.is_visible()
    assert watch.errors == []
    assert watch.foreign == []


def test_every_list_opens_without_an_error(page: Page, watch: Watch, live_server: LiveServer) -> None:
    links = page.eval_on_selector_all("#nav-sidebar a[href^='/admin/']", "found => found.map((a) => a.pathname)")
    assert len(links) > 15
    for link in dict.fromkeys(links):
        answer = page.goto(live_server.url + link)
        assert answer is not None
        assert answer.status == 200
    assert watch.errors == []
    assert watch.foreign == []


def test_icons_come_from_the_site_itself(page: Page) -> None:
    page.evaluate("document.fonts.ready")
    assert page.evaluate("document.fonts.check('20px \"Material Symbols Outlined\"')")


def test_promotion_changes_what_is_in_production(
    page: Page, watch: Watch, live_server: LiveServer, site: dict[int, ModelVersion]
) -> None:
    page.goto(address(live_server, site[3]))
    promote(page, "Watch it beside the others.", "shadow")
    assert page.get_by_text("late-arrivals@3 is now shadow.").is_visible()
    site[3].refresh_from_db()
    assert site[3].stage == "shadow"
    assert watch.errors == []


def test_refused_promotion_says_which_gate_and_why(
    page: Page, live_server: LiveServer, site: dict[int, ModelVersion]
) -> None:
    page.goto(address(live_server, site[3]))
    promote(page, "It looks fine to me.")
    assert page.get_by_text("better_than_baseline (wanted log_loss below").is_visible()
    first = page.locator("section[aria-label=Gates] tbody tr").first
    assert "failed" in first.inner_text().lower()
    site[3].refresh_from_db()
    assert site[3].stage == "candidate"


def test_dialog_without_a_reason_stays_open(page: Page, live_server: LiveServer, site: dict[int, ModelVersion]) -> None:
    page.goto(address(live_server, site[3]))
    open_dialog(page, "promote")
    page.click("#modal-content button[type=submit]")
    page.wait_for_selector("#dialog-form >> text=This field is required")
    site[3].refresh_from_db()
    assert site[3].stage == "candidate"


def test_hostile_report_reaches_nothing(page: Page, watch: Watch, live_server: LiveServer) -> None:
    page.goto(f"{live_server.url}/admin/pipeline/driftreport/?dataset_drift__exact=1")
    page.locator("#result_list tbody a").first.click()
    page.locator("iframe.c-frame").scroll_into_view_if_needed()
    said = page.frame_locator("iframe.c-frame").locator("#said")
    said.filter(has_text="fetch").wait_for()
    tried = json.loads(said.inner_text())
    assert tried == {
        "cookie": "SecurityError",
        "parent": "SecurityError",
        "storage": "SecurityError",
        "origin": "null",
        "fetch": "TypeError",
    }
    assert watch.foreign == []


def test_hostile_report_reaches_nothing_when_opened_by_itself(page: Page, live_server: LiveServer) -> None:
    page.goto(f"{live_server.url}/admin/pipeline/driftreport/?dataset_drift__exact=1")
    page.locator("#result_list tbody a").first.click()
    page.wait_for_selector("iframe.c-frame")
    page.goto(live_server.url + (page.locator("iframe.c-frame").get_attribute("src") or ""))
    page.locator("#said").filter(has_text="fetch").wait_for()
    tried = json.loads(page.locator("#said").inner_text())
    assert (tried["cookie"], tried["origin"], tried["fetch"]) == ("SecurityError", "null", "TypeError")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pages_fit_a_phone(page: Page, live_server: LiveServer, site: dict[int, ModelVersion], theme: str) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.emulate_media(color_scheme=theme)
    for path in ("/admin/", "/admin/models_store/modelversion/", "/admin/predictions/prediction/"):
        page.goto(live_server.url + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.goto(address(live_server, site[3]))
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    open_dialog(page, "promote")
    box = page.locator("#modal-content").bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390
