"""What the tests of uploads do: send a file, look at what is stored, work off the run."""

import hashlib
from pathlib import Path
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

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
