"""What the tests of uploads do: send a file, look at what is stored, work off the run."""

import hashlib
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from pipeline.actions.runs import execute_run
from pipeline.models import Run
from tests.callers import bearer

URL = "/api/v1/datasets/flights/versions"
CSV = b"at,carrier,late\n2013-01-01T10:00:00Z,UA,1\n2013-01-02T10:00:00Z,AA,0\n"
DIGEST = hashlib.sha256(CSV).hexdigest()


def form(name: str = "flights.csv", body: bytes = CSV, **fields: Any) -> Any:
    """Upload a file as a form does."""
    file = SimpleUploadedFile(name, body, "application/octet-stream")
    return Client().post(URL, {"file": file, **fields}, headers=bearer("admin"))


def raw(body: bytes = CSV, kind: str = "text/csv", query: str = "", **headers: str) -> Any:
    """Upload a file as the request's body."""
    return Client().post(f"{URL}{query}", body, content_type=kind, headers={**bearer("admin"), **headers})


def stored(folder: Path) -> list[str]:
    """Return the names of the files in the uploads folder."""
    place = folder / "uploads"
    return sorted(path.name for path in place.iterdir() if path.name != ".lock") if place.is_dir() else []


def work() -> Run:
    """Do the newest run as a worker would."""
    ended = execute_run(Run.objects.latest("created_at").pk, worker="test")
    assert ended is not None
    return ended


def upload_by_api(dataset: str, body: bytes) -> None:
    """Upload a file to a dataset with a key: sent again, it is the same request."""
    headers = {**bearer("admin"), "Idempotency-Key": f"to-{dataset}"}
    address = URL.replace("flights", dataset)
    answer = Client(SERVER_NAME="localhost").post(address, {"file": SimpleUploadedFile("a.csv", body)}, headers=headers)
    assert answer.status_code == 202, answer.content


def upload_by_console(dataset: str, body: bytes) -> None:
    """Upload a file to a dataset on the page for it."""
    person, _ = User.objects.get_or_create(username="boss", is_staff=True, is_superuser=True)
    client = Client(SERVER_NAME="localhost")
    client.force_login(person)
    form = {"file": SimpleUploadedFile("a.csv", body), "dataset": dataset, "format": "", "max_rejected": ""}
    answer = client.post(reverse("admin:pipeline_run_upload"), form)
    assert "/pipeline/run/" in answer.headers.get("Location", ""), answer.headers
