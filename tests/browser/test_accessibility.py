"""What axe finds on the console's pages, in light and dark, and what a keyboard alone can do."""

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page
from pytest_django.live_server_helper import LiveServer

from models_store.models import ModelVersion
from pipeline.models import Run
from tests.browser.chromium import open_dialog

# axe looks at each page for some seconds.
pytestmark = [pytest.mark.browser, pytest.mark.timeout(900), pytest.mark.django_db(transaction=True)]
GRAVE = ("serious", "critical")


def grave(page: Page) -> list[str]:
    """Return what axe calls serious or critical, with the first places of each."""
    found: Any = Axe().run(page).response["violations"]
    where = page.url.split("/admin/", 1)[-1]
    return [
        f"{where}: {rule['id']}: {[node['html'][:300] for node in rule['nodes'][:3]]}"
        for rule in found
        if rule["impact"] in GRAVE
    ]


@pytest.fixture
def addresses(live_server: LiveServer, site: dict[int, ModelVersion]) -> list[str]:
    run = Run.objects.filter(state="failed").values_list("pk", flat=True)[0]
    paths = [
        "",
        "models_store/modelversion/?q=late",
        f"models_store/modelversion/{site[1].pk}/change/",
        f"models_store/modelversion/compare/?first={site[1].pk}&second={site[2].pk}",
        f"models_store/registeredmodel/{site[1].model_id}/change/",
        f"pipeline/run/{run}/change/",
        "pipeline/run/upload/",
        "auth/user/add/",
    ]
    return [f"{live_server.url}/admin/{path}" for path in paths]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pages_have_no_grave_fault(page: Page, addresses: list[str], theme: str) -> None:
    page.emulate_media(color_scheme=theme)
    found = []
    for address in addresses:
        page.goto(address)
        found += grave(page)
    assert found == [], "\n".join(found)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_dialogs_have_no_grave_fault(
    page: Page, live_server: LiveServer, site: dict[int, ModelVersion], theme: str
) -> None:
    page.emulate_media(color_scheme=theme)
    found = []
    for path, name in (
        (f"modelversion/{site[3].pk}", "promote"),
        (f"registeredmodel/{site[3].model_id}", "roll-back"),
        (f"registeredmodel/{site[3].model_id}", "policy"),
    ):
        page.goto(f"{live_server.url}/admin/models_store/{path}/change/")
        open_dialog(page, name)
        found += grave(page)
    assert found == [], "\n".join(found)


def test_sign_in_has_no_grave_fault(page: Page, live_server: LiveServer) -> None:
    page.context.clear_cookies()
    page.goto(f"{live_server.url}/admin/login/")
    assert grave(page) == []


def test_dialog_is_opened_filled_and_left_by_the_keyboard(
    page: Page, live_server: LiveServer, site: dict[int, ModelVersion]
) -> None:
    page.goto(f"{live_server.url}/admin/models_store/modelversion/{site[3].pk}/change/")
    opener = page.locator("a[hx-get$='/promote/']:visible").first
    opener.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#dialog-form:visible")
    inside = "() => document.getElementById('modal-content').contains(document.activeElement)"
    page.wait_for_function(inside)
    for _ in range(12):
        page.keyboard.press("Tab")
        assert page.evaluate(inside)
    page.keyboard.press("Escape")
    page.wait_for_selector("#dialog-form", state="hidden")
    page.wait_for_function("() => document.activeElement.getAttribute('hx-get')?.endsWith('/promote/')")


def test_menu_of_rarer_actions_is_used_by_the_keyboard(
    page: Page, live_server: LiveServer, site: dict[int, ModelVersion]
) -> None:
    page.goto(f"{live_server.url}/admin/models_store/modelversion/{site[3].pk}/change/")
    menu, item = page.locator(".c-menu__opener"), page.locator("a[hx-get$='/evaluate/']")
    assert not item.is_visible()
    menu.focus()
    page.keyboard.press("Enter")
    assert item.is_visible()
    assert menu.get_attribute("aria-expanded") == "true"
    assert grave(page) == []
    page.keyboard.press("Tab")
    page.keyboard.press("Escape")
    assert not item.is_visible()
    here = "() => document.activeElement.className.includes('c-menu__opener')"
    assert page.evaluate(here)
    # The dialog that a menu opens gives the focus back to the menu, which has closed.
    page.keyboard.press("Enter")
    item.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#dialog-form:visible")
    page.wait_for_function("() => document.getElementById('modal-content').contains(document.activeElement)")
    page.keyboard.press("Escape")
    page.wait_for_selector("#dialog-form", state="hidden")
    page.wait_for_function(here)
