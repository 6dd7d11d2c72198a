"""A file uploaded at the console becomes a run, by the same action as in the API."""

from html import unescape
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from features.ground.roles import ROLES
from features.models import Dataset, DatasetVersion
from models_store.models import AuditEntry
from pipeline.actions.runs import execute_run
from pipeline.models import Run
from predictions.actions.ensure_roles import ensure_roles

pytestmark = pytest.mark.django_db(transaction=True)
CSV = b"at,carrier,late\n2013-01-01T10:00:00Z,UA,1\n2013-01-02T10:00:00Z,AA,0\n"


def member(role: str, **options: Any) -> Client:
    """Return a client signed in as staff with a role."""
    ensure_roles(ROLES, promoters=())
    person = User.objects.create_user(f"{role}-person", is_staff=True)
    person.groups.add(Group.objects.get(name=role))
    client = Client(**options)
    client.force_login(person)
    return client


def upload(client: Client, name: str = "flights.csv", body: bytes = CSV, **fields: str) -> Any:
    form = {"dataset": "flights", "target": "late", "entity": "carrier, at", "format": "", "max_rejected": ""}
    return client.post(reverse("admin:pipeline_run_upload"), {"file": SimpleUploadedFile(name, body), **form, **fields})


def stored(folder: Path) -> list[str]:
    place = folder / "uploads"
    return [path.name for path in place.iterdir() if path.name != ".lock"] if place.is_dir() else []


def test_admin_uploads_a_file_and_sees_its_run_end(var_dir: Path) -> None:
    client = member("admin")
    answer = upload(client)
    run = Run.objects.get()
    assert answer["Location"] == reverse("admin:pipeline_run_change", args=[run.pk])
    assert (run.actor, run.params["roles"]) == ("user:admin-person", {"target": "late", "entity": ["carrier", "at"]})
    waiting = client.get(answer["Location"])
    assert 'data-ended=""' in waiting.content.decode()
    assert "flights.csv has arrived" in waiting.content.decode()
    execute_run(run.pk, worker="test")
    done = client.get(answer["Location"])
    assert 'data-ended="1"' in done.content.decode()
    assert (
        reverse("admin:features_datasetversion_change", args=[DatasetVersion.objects.get().pk]) in done.content.decode()
    )


@pytest.mark.parametrize("role", ["promoter", "user", "readonly"])
def test_others_see_no_button_and_may_not_upload(var_dir: Path, role: str) -> None:
    client, dataset = member(role), Dataset.objects.create(name="flights")
    detail = reverse("admin:features_dataset_upload", args=[dataset.pk])
    assert detail not in client.get(reverse("admin:features_dataset_change", args=[dataset.pk])).content.decode()
    for address in (detail, reverse("admin:features_dataset_upload_new"), reverse("admin:pipeline_run_upload")):
        assert client.get(address).status_code == 403
    assert upload(client).status_code == 403
    assert (stored(var_dir), Run.objects.count()) == ([], 0)
    assert AuditEntry.objects.get(action="dataset.upload_refused").actor == f"user:{role}-person"


def test_button_leads_to_the_form_with_the_dataset_filled_in(var_dir: Path) -> None:
    client, dataset = member("admin"), Dataset.objects.create(name="flights")
    answer = client.get(reverse("admin:features_dataset_upload", args=[dataset.pk]), follow=True)
    assert 'value="flights"' in answer.content.decode()
    assert client.get(reverse("admin:features_dataset_upload_new"), follow=True).status_code == 200


def test_quarantine_leads_an_admin_to_the_form_for_mended_rows(var_dir: Path) -> None:
    admin, reader = member("admin"), member("readonly")
    for body in (CSV, CSV.replace(b"UA", b"AA") + b"never,AA,1\n" * 2):
        assert upload(admin, body=body, timestamp="at", entity="carrier", max_rejected="0.9").status_code == 302
        execute_run(Run.objects.latest("created_at").pk, worker="test")
    page = reverse("admin:features_dataset_quarantine", args=[Dataset.objects.get().pk])
    form = f"{reverse('admin:pipeline_run_upload')}?dataset=flights&amp;mode=fix"
    assert form in admin.get(page).content.decode()
    assert form not in reader.get(page).content.decode()
    shown = admin.get(unescape(form)).content.decode()
    assert 'value="flights"' in shown
    assert '<option value="fix" selected>' in shown
    export = admin.get(reverse("admin:features_dataset_quarantine_export", args=[Dataset.objects.get().pk]))
    mended = b"".join(export.streaming_content).replace(b"never", b"2013-01-03T10:00:00Z")  # type: ignore[attr-defined]
    sent = {"file": SimpleUploadedFile("r.csv", mended), "dataset": "flights", "mode": "fix", "target": ""}
    assert admin.post(reverse("admin:pipeline_run_upload"), sent).status_code == 302
    done = execute_run(Run.objects.latest("created_at").pk, worker="test")
    assert done is not None
    assert (done.result["rows_fixed"], DatasetVersion.objects.get(number=3).rows_total) == (2, 6)
    assert "rows_fixed" in admin.get(reverse("admin:pipeline_run_change", args=[done.pk])).content.decode()


def test_form_of_another_site_is_refused_and_nothing_stays(var_dir: Path) -> None:
    client = member("admin", enforce_csrf_checks=True)
    assert upload(client).status_code == 403
    assert (stored(var_dir), Run.objects.count()) == ([], 0)
    token = client.get(reverse("admin:pipeline_run_upload")).cookies["csrftoken"].value
    assert upload(client, csrfmiddlewaretoken=token).status_code == 302


@pytest.mark.parametrize(
    ("name", "body", "fields", "words"),
    [
        ("flights.exe", CSV, {}, "must end in .csv"),
        ("flights.csv", b"", {}, "the upload is empty"),
        ("flights.csv", CSV, {"dataset": "../x"}, "a dataset's name is"),
        ("flights.csv", CSV, {"max_rejected": "7"}, "max_rejected: "),
        ("flights.csv", CSV, {"target": "<b>\x00"}, "target: "),
    ],
)
def test_what_is_wrong_is_said_above_the_form(
    var_dir: Path, name: str, body: bytes, fields: dict[str, str], words: str
) -> None:
    answer = upload(member("admin"), name, body, **fields)
    assert answer.status_code == 400
    assert words in unescape(answer.content.decode())
    assert 'value="carrier, at"' in answer.content.decode()
    assert (stored(var_dir), Run.objects.count()) == ([], 0)


def test_form_without_a_file_is_refused(var_dir: Path) -> None:
    answer = member("admin").post(reverse("admin:pipeline_run_upload"), {"dataset": "flights"})
    assert answer.status_code == 400
    assert "holds no file" in answer.content.decode()
