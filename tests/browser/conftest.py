"""A browser, a filled site behind it, and a page that is signed in."""

import os
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from playwright.sync_api import Browser, Page
from pytest_django.live_server_helper import LiveServer

from models_store.models import ModelVersion
from tests.browser.chromium import Watch, chromium, executable, sign_in
from tests.mlsite.console_site import make_site, make_user

# What a hostile report would try: read the session, the page around it, and another host.
HOSTILE = """<!doctype html><title>Report</title><p id="said">nothing</p><script>
const tried = {};
const attempt = (name, work) => { try { tried[name] = String(work()); } catch (error) { tried[name] = error.name; } };
attempt("cookie", () => document.cookie);
attempt("parent", () => parent.document.title);
attempt("storage", () => localStorage.length);
attempt("origin", () => self.origin);
fetch("/admin/").then(() => { tried.fetch = "answered"; }, (error) => { tried.fetch = error.name; })
  .finally(() => { document.getElementById("said").textContent = JSON.stringify(tried); });
</script>"""


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Start Chromium once."""
    if executable() is None:
        pytest.skip("Chromium is not installed: apt-get install chromium")
    with chromium() as started:
        # Playwright keeps an event loop in this thread, and Django would refuse to use the database beside it.
        os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
        yield started
        del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def site(browser: Browser, live_server: LiveServer) -> dict[int, ModelVersion]:
    """Fill every table; the newest drift report holds a hostile page."""
    make_user()
    return make_site(HOSTILE)


@pytest.fixture
def watch(live_server: LiveServer) -> Watch:
    """Note errors and requests to other hosts."""
    return Watch(site=urlsplit(live_server.url).netloc)


@pytest.fixture(autouse=True)
def signing_in_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """One person signs in for each test: more often than tries are let through in a minute."""
    monkeypatch.setattr(settings, "CONFIG", settings.CONFIG.model_copy(update={"login_rate_limit": "off"}))


@pytest.fixture
def page(browser: Browser, site: dict[int, ModelVersion], live_server: LiveServer, watch: Watch) -> Iterator[Page]:
    """Open a page that is signed in."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    opened = context.new_page()
    watch.on(opened)
    sign_in(opened, live_server.url)
    yield opened
    context.close()


@pytest.fixture
def page_of_nobody(browser: Browser, live_server: LiveServer, watch: Watch) -> Iterator[Page]:
    """Open a page that nobody is signed in at, of a site without rows."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    opened = context.new_page()
    watch.on(opened)
    yield opened
    context.close()
