"""The data as a person sees it in a real browser: drawn, browsed, uploaded, approved."""

from pathlib import Path

import pytest
from playwright.sync_api import Page
from pytest_django.live_server_helper import LiveServer

from features.actions.ingest import ingest
from features.models import ContractVersion, Dataset, FeatureView
from pipeline.actions.runs import execute_run
from pipeline.models import Run
from tests.browser.chromium import Watch, open_dialog

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
HOSTILE = "<img src=x onerror=alert(1)>"
CLEAN = f"at,{HOSTILE},amount\n" + "".join(f"2013-01-{day:02d}T10:00:00Z,a{day % 3},{day}\n" for day in range(1, 29))
DIRTY = CLEAN + "".join(f"never,{HOSTILE},{day}\n" for day in range(60))


def page_of(live_server: LiveServer, table: str, key: int) -> str:
    return f"{live_server.url}/admin/features/{table}/{key}/change/"


@pytest.fixture
def payments(page: Page, tmp_path: Path) -> Dataset:
    """Ingest a clean file and a dirty one, with hostile names and values."""
    for name, body in (("clean.csv", CLEAN), ("dirty.csv", DIRTY)):
        (tmp_path / name).write_text(body)
        ingest("payments", [tmp_path / name], actor="test", max_rejected=0.9)
    return Dataset.objects.get(name="payments")


def test_dataset_page_is_drawn_without_an_error(page: Page, watch: Watch, live_server: LiveServer) -> None:
    page.goto(page_of(live_server, "dataset", Dataset.objects.get().pk))
    columns = page.locator(".c-column")
    assert columns.count() == 8
    assert all(box["height"] > 40 for at in range(8) if (box := columns.nth(at).locator(".c-bars").bounding_box()))
    assert columns.filter(has_text="mean: 8.766 → 14.03").count() == 1
    picture = page.locator(".c-drawing--columns")
    assert picture.is_visible()
    assert not page.locator(".c-drawing--tree").is_visible()
    assert page.get_by_role("link", name="late-arrivals@1").first.is_visible()
    picture.get_by_role("link", name="carrier-rates v1").click()
    page.wait_for_url("**/admin/features/featureview/*/change/")
    assert watch.errors == []
    assert watch.foreign == []


def test_view_page_shows_values_and_leads_along_the_lineage(page: Page, watch: Watch, live_server: LiveServer) -> None:
    page.goto(page_of(live_server, "featureview", FeatureView.objects.get().pk))
    assert page.locator("section[aria-label='Sample of online values'] tbody tr").count() == 4
    page.locator(".c-drawing--columns").get_by_role("link", name="late-arrivals@2").click()
    page.wait_for_url("**/admin/models_store/modelversion/*/change/")
    here = page.locator(".c-drawing--columns [aria-current=page] .c-node__title")
    assert here.text_content() == "late-arrivals@2"
    assert watch.errors == []


def test_person_uploads_a_file_and_sees_the_run_end(
    page: Page, watch: Watch, live_server: LiveServer, tmp_path: Path
) -> None:
    (tmp_path / "late.csv").write_text(CLEAN)
    page.goto(f"{live_server.url}/admin/features/dataset/")
    page.get_by_role("link", name="Upload data").first.click()
    page.set_input_files("input[type=file]", tmp_path / "late.csv")
    page.fill("input[name=dataset]", "uploaded")
    page.fill("input[name=timestamp]", "at")
    page.get_by_role("button", name="Upload", exact=True).click()
    page.wait_for_url("**/admin/pipeline/run/*/change/")
    assert page.get_by_text("late.csv has arrived").is_visible()
    run = Run.objects.get(kind="ingest")
    assert run.state == "queued"
    execute_run(run.pk, worker="test")
    # The page looks again by itself.
    page.get_by_role("link", name="uploaded@1").click()
    page.wait_for_url("**/admin/features/datasetversion/*/change/")
    assert "late.csv" in page.locator("section[aria-label='What came in']").inner_text()
    assert watch.errors == []


def test_upload_that_is_refused_says_why_and_keeps_what_was_typed(
    page: Page, live_server: LiveServer, tmp_path: Path
) -> None:
    (tmp_path / "late.exe").write_text(CLEAN)
    page.goto(f"{live_server.url}/admin/pipeline/run/upload/?dataset=flights")
    page.set_input_files("input[type=file]", tmp_path / "late.exe")
    page.fill("input[name=target]", "late")
    page.get_by_role("button", name="Upload", exact=True).click()
    page.get_by_role("alert").wait_for()
    assert "must end in .csv" in page.get_by_role("alert").inner_text()
    assert page.input_value("input[name=target]") == "late"
    assert page.input_value("input[name=dataset]") == "flights"


def test_contract_is_approved_then_edited(page: Page, watch: Watch, live_server: LiveServer, payments: Dataset) -> None:
    page.goto(page_of(live_server, "dataset", payments.pk))
    open_dialog(page, "approve")
    page.fill("#dialog-form textarea[name=reason]", "Each column is what it seems.")
    with page.expect_navigation():
        page.click("#modal-content button[type=submit]")
    assert page.get_by_text("Contract 1 of payments is approved.").is_visible()
    assert page.get_by_role("link", name="Approve contract").count() == 0
    open_dialog(page, "edit-contract")
    page.fill("#dialog-form textarea[name=changes]", "amount.min=0")
    page.fill("#dialog-form textarea[name=reason]", "Nobody pays less than nothing.")
    with page.expect_navigation():
        page.click("#modal-content button[type=submit]")
    assert page.get_by_text("Contract 2 of payments is in force.").is_visible()
    states = ContractVersion.objects.filter(dataset=payments).values_list("state", flat=True)
    assert list(states) == ["approved", "approved"]
    assert watch.errors == []


def test_edit_that_makes_no_sense_keeps_the_dialog_open(page: Page, live_server: LiveServer, payments: Dataset) -> None:
    page.goto(page_of(live_server, "dataset", payments.pk))
    open_dialog(page, "edit-contract")
    page.fill("#dialog-form textarea[name=changes]", "amount")
    page.fill("#dialog-form textarea[name=reason]", "Because.")
    page.click("#modal-content button[type=submit]")
    page.wait_for_selector("#dialog-form >> text=a change is PATH=VALUE")
    assert ContractVersion.objects.filter(dataset=payments).count() == 1


def test_refused_rows_are_filtered_and_taken_away(
    page: Page, watch: Watch, live_server: LiveServer, payments: Dataset
) -> None:
    page.goto(page_of(live_server, "dataset", payments.pk))
    page.locator("section[aria-label=Quarantine]").get_by_text("Browse").click()
    assert page.locator(".c-reasons").count() == 50
    page.select_option("select[name=reason]", "not_timestamp")
    page.get_by_role("button", name="Show").click()
    page.get_by_role("link", name="After →").click()
    page.wait_for_url("**page=1**")
    assert page.locator(".c-reasons").count() == 10
    with page.expect_download() as caught:
        page.get_by_role("link", name="Export as CSV").click()
    assert caught.value.suggested_filename == "payments-refused.csv"
    assert len(Path(caught.value.path()).read_text().splitlines()) == 61
    assert page.locator("img[src=x]").count() == 0
    assert watch.errors == []
    assert watch.foreign == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_data_pages_fit_a_phone(page: Page, live_server: LiveServer, payments: Dataset, theme: str) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.emulate_media(color_scheme=theme)
    first = Dataset.objects.get(name="flights")
    addresses = [
        page_of(live_server, "dataset", first.pk),
        page_of(live_server, "datasetversion", first.versions.get(number=2).pk),
        page_of(live_server, "featureview", FeatureView.objects.get().pk),
        f"{live_server.url}/admin/features/dataset/{payments.pk}/quarantine/",
        f"{live_server.url}/admin/pipeline/run/upload/",
        f"{live_server.url}/admin/features/dataset/",
    ]
    for address in addresses:
        page.goto(address)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, address
    page.goto(addresses[0])
    assert page.locator(".c-drawing--tree").is_visible()
    assert not page.locator(".c-drawing--columns").is_visible()
    drawn = page.locator(".c-drawing--tree").bounding_box()
    assert drawn is not None
    assert drawn["x"] + drawn["width"] <= 390
