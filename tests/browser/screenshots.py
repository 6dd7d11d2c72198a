"""Take pictures of the console as it is served: `python -m tests.browser.screenshots ADDRESS FOLDER [USER PASSWORD]`.

Every page of PAGES, at desktop and phone width, in light and dark. The site must already run and hold something to see.
"""

import sys
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page

from tests.browser.chromium import Watch, chromium, open_dialog, sign_in

SIZES = {"desktop": (1440, 900), "phone": (390, 844)}
THEMES = ("light", "dark")
# Name, list to open, and whether to follow its first row.
PAGES = (
    ("dashboard", "/admin/", False),
    ("model_versions", "/admin/models_store/modelversion/", False),
    ("model_version", "/admin/models_store/modelversion/?stage__exact=production", True),
    ("candidate", "/admin/models_store/modelversion/?stage__exact=candidate", True),
    ("model", "/admin/models_store/registeredmodel/", True),
    ("filtered", "/admin/models_store/modelversion/?stage__exact=candidate", False),
    ("second_factor", "/admin/second-factor/", False),
    ("drift", "/admin/pipeline/driftreport/?dataset_drift__exact=1", True),
    ("dataset", "/admin/features/dataset/", True),
    ("dataset_version", "/admin/features/datasetversion/", True),
    ("datasets", "/admin/features/dataset/", False),
    ("view", "/admin/features/featureview/", True),
    ("upload", "/admin/pipeline/run/upload/", False),
    ("snapshot", "/admin/features/featuresnapshot/?kind__exact=training", True),
    ("predictions", "/admin/predictions/prediction/", False),
    ("prediction", "/admin/predictions/prediction/", True),
    ("runs", "/admin/pipeline/run/", False),
    ("run", "/admin/pipeline/run/?state__exact=failed", True),
    ("audit", "/admin/models_store/auditentry/", False),
    ("request", "/admin/models_store/promotionrequest/", True),
    ("schedules", "/admin/django_celery_beat/periodictask/", False),
    ("schedule", "/admin/django_celery_beat/periodictask/", True),
    ("users", "/admin/auth/user/", False),
    ("user", "/admin/auth/user/", True),
)


def main(address: str, folder: Path, name: str = "ada", password: str = "correct horse") -> int:
    """Take every picture; return 1 if a page logged an error or asked another host."""
    folder.mkdir(parents=True, exist_ok=True)
    watch = Watch(site=urlsplit(address).netloc)
    with chromium() as browser:
        for size in SIZES:
            for theme in THEMES:
                _round(browser, address, folder, size, theme, watch, (name, password))
    for line in (*watch.errors, *watch.foreign):
        print(line, file=sys.stderr)
    return 1 if watch.errors or watch.foreign else 0


def _round(
    browser: Browser, address: str, folder: Path, size: str, theme: str, watch: Watch, person: tuple[str, str]
) -> None:
    width, height = SIZES[size]
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=theme)
    page = context.new_page()
    watch.on(page)
    page.goto(f"{address}/admin/login/")
    page.screenshot(path=folder / f"login-{size}-{theme}.png")
    sign_in(page, address, *person)
    for shot, path, follow in PAGES:
        _open(page, address + path, follow)
        page.screenshot(path=folder / f"{shot}-{size}-{theme}.png", full_page=True)
        wide = page.evaluate("document.documentElement.scrollWidth")
        if wide > width:
            print(f"{shot} at {width}: page is {wide} wide", file=sys.stderr)
        if shot == "drift" and page.locator("iframe.c-frame").count():
            # A whole-page picture leaves frames blank: this one is of the window.
            page.locator("iframe.c-frame").scroll_into_view_if_needed()
            page.frame_locator("iframe.c-frame").locator("body *").first.wait_for()
            page.wait_for_timeout(1500)
            page.screenshot(path=folder / f"report-{size}-{theme}.png")
        if shot == "candidate" and "/change/" in page.url:
            _dialog(page)
            page.screenshot(path=folder / f"promote-{size}-{theme}.png")
    context.close()


def _open(page: Page, address: str, follow: bool) -> None:
    page.goto(address)
    if follow:
        first = page.locator("#result_list tbody th a, #result_list tbody td a").first
        if not first.count():
            return
        page.goto(address.split("/admin/")[0] + (first.get_attribute("href") or ""))
    page.wait_for_timeout(400)


def _dialog(page: Page) -> None:
    open_dialog(page, "promote")
    page.wait_for_timeout(200)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1].rstrip("/"), Path(sys.argv[2]), *sys.argv[3:5]))
