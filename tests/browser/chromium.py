"""A Chromium that reaches nothing but the site, and remembers what went wrong."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

SWITCHES = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@dataclass(kw_only=True)
class Watch:
    """What a page did that it should not have."""

    site: str
    errors: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    def on(self, page: Page) -> None:
        """Watch this page."""
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.errors.append(f"{page.url}: {error}"))
        page.on("request", self._request)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(f"{message.location.get('url', '')}: {message.text}")

    def _request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in ("http", "https", "ws", "wss") and parts.netloc != self.site:
            self.foreign.append(request.url)


def executable() -> str | None:
    """Return the path of Chromium, or None where it isn't installed."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start Chromium and stop it afterwards."""
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=executable(), args=list(SWITCHES))
        try:
            yield browser
        finally:
            browser.close()


def sign_in(page: Page, address: str, name: str = "ada", password: str = "correct horse") -> None:
    """Sign in at the console."""
    page.goto(f"{address}/admin/login/?next=/admin/")
    page.fill("input[name=username]", name)
    page.fill("input[name=password]", password)
    page.click("button[type=submit]")
    page.wait_for_url(f"{address}/admin/")


def open_dialog(page: Page, name: str) -> None:
    """Open the dialog of a page's action; rarer ones are in a menu, and on a phone all of them are."""
    button = page.locator(f"a[hx-get$='/{name}/']:visible")
    if not button.count():
        phone = page.locator("a:has(> .material-symbols-outlined:text-is('more_horiz')):visible")
        menu = page.locator(".c-menu__opener:visible")
        (phone if phone.count() else menu).first.click()
    button.first.click()
    page.wait_for_selector("#dialog-form:visible")
