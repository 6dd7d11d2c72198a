"""Files uploaded to a dataset: streamed, bounded, ingested by a run, and gone afterwards."""

import gzip
import hashlib
import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from features.models import Dataset
from pipeline.actions.ingest_upload import sweep_uploads
from pipeline.actions.runs import cancel_run, execute_run, retry_run
from pipeline.models import Run
from tests.callers import bearer

pytestmark = pytest.mark.django_db(transaction=True)
URL = "/api/v1/datasets/flights/versions"
CSV = b"at,carrier,late\n2013-01-01T10:00:00Z,UA,1\n2013-01-02T10:00:00Z,AA,0\n"
DIGEST = hashlib.sha256(CSV).hexdigest()


@pytest.fixture(autouse=True)
def _folder(var_dir: Path) -> None:
    """Give each test a run-time folder of its own."""


@pytest.fixture
def limit(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    def change(megabytes: int) -> None:
        features = settings.CONFIG.features.model_copy(update={"max_upload_mb": megabytes})
        monkeypatch.setattr(settings, "CONFIG", settings.CONFIG.model_copy(update={"features": features}))

    return change


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


def test_form_is_ingested_by_a_run_and_then_removed(var_dir: Path) -> None:
    answer = form(target="late", timestamp="at", entity=["carrier"], max_rejected="0.5")
    run = Run.objects.get()
    assert (answer.status_code, answer["Location"]) == (202, f"/api/v1/runs/{run.pk}")
    assert run.params == {
        "dataset": "flights",
        "upload": f"{DIGEST}.csv",
        "source": "flights.csv",
        "max_rejected": 0.5,
        "roles": {"target": "late", "timestamp": "at", "entity": ["carrier"]},
    }
    assert stored(var_dir) == [f"{DIGEST}.csv"]
    done = work()
    assert (done.state, done.result["rows_valid"]) == ("succeeded", 2)
    found = Dataset.objects.get()
    assert (found.target_column, found.timestamp_column, found.entity_columns) == ("late", "at", ["carrier"])
    assert found.versions.get().source == "flights.csv"
    sweep_uploads()
    assert stored(var_dir) == []


@pytest.mark.parametrize(
    ("kind", "query", "suffix"),
    [
        ("text/csv", "", ".csv"),
        ("application/octet-stream", "?filename=a.CSV", ".csv"),
        ("application/octet-stream", "?format=csv", ".csv"),
        ("text/csv; charset=utf-8", "?filename=what%20ever", ".csv"),
    ],
)
def test_body_is_taken_as_a_file_of_its_type_or_name(kind: str, query: str, suffix: str) -> None:
    assert raw(kind=kind, query=query).status_code == 202
    assert Run.objects.get().params["upload"] == DIGEST + suffix
    assert work().state == "succeeded"


def test_file_is_read_as_its_options_say() -> None:
    body = "2013-01-01T10:00:00|caf\xe9|none\n2013-01-02T10:00:00|th\xe9|1\n".encode("latin-1")
    read = {"delimiter": "bar", "encoding": "latin-1", "timezone": "Europe/Paris", "header": "false", "na": ["none"]}
    answer = form("drinks.txt", body, timestamp="at", columns=["at", "drink", "cups"], quote="none", **read)
    assert answer.status_code == 202, answer.content
    assert Run.objects.get().params["read"]["header"] is False
    assert work().state == "succeeded"
    found = Dataset.objects.get()
    assert (found.timezone, [column.name for column in found.columns()]) == ("Europe/Paris", ["at", "drink", "cups"])
    assert str(found.versions.get().first_event_at) == "2013-01-01 09:00:00+00:00"


@pytest.mark.parametrize(
    "options", [{"delimiter": "ab"}, {"encoding": "utf-7"}, {"header": "false"}, {"delimiter": ",", "quote": ","}]
)
def test_options_that_make_no_sense_are_refused_before_a_run_is_made(var_dir: Path, options: dict[str, str]) -> None:
    answer = form(**options)
    assert (answer.status_code, list(answer.json()["fields"])) == (400, ["options"])
    assert (stored(var_dir), Run.objects.count()) == ([], 0)


def test_packed_file_keeps_its_suffix() -> None:
    assert form("f.csv.gz", gzip.compress(CSV)).status_code == 202
    assert Run.objects.get().params["upload"].endswith(".csv.gz")


def test_larger_than_the_request_limit_is_streamed(var_dir: Path) -> None:
    body = CSV + b"2013-01-02T10:00:00Z,AA,0\n" * 80_000
    assert len(body) > settings.CONFIG.security.max_request_size
    assert form(body=body).status_code == 202
    assert raw(body).status_code == 202
    assert stored(var_dir) == [f"{hashlib.sha256(body).hexdigest()}.csv"]


def test_over_the_limit_is_refused_and_nothing_stays(var_dir: Path, limit: Callable[[int], None]) -> None:
    limit(1)
    for answer in (form(body=b"x" * 1_048_577), raw(b"x" * 1_048_577), form(body=b"x" * 9_000_000)):
        assert (answer.status_code, answer.json()["code"]) == (413, "upload_too_large")
        assert answer.json()["fields"]["limit"] == 1_048_576
    assert stored(var_dir) == []
    assert not Run.objects.exists()


def test_limit_holds_for_what_arrives_whatever_was_said(var_dir: Path, limit: Callable[[int], None]) -> None:
    limit(1)
    # A form's own wrapping is allowed for: here it says little and its file is over the limit.
    answer = form(body=b"x" * (1_048_576 + 4096))
    assert (answer.status_code, answer.json()["code"]) == (413, "upload_too_large")
    assert stored(var_dir) == []


@pytest.mark.parametrize(
    "answer",
    [
        lambda: form("flights.exe"),
        lambda: form("flights"),
        lambda: form(body=b""),
        lambda: raw(b""),
        lambda: raw(kind="application/octet-stream"),
        lambda: Client().post(URL, {"target": "late"}, headers=bearer("admin")),
        lambda: Client().post(URL, {"data": SimpleUploadedFile("a.csv", CSV)}, headers=bearer("admin")),
        lambda: Client().post(URL, {"file": [SimpleUploadedFile("a.csv", CSV)] * 2}, headers=bearer("admin")),
        lambda: raw(b"--x", kind="multipart/form-data; boundary="),
        lambda: raw(b"--x\r\nnothing", kind="multipart/form-data; boundary=x"),
    ],
    ids=["suffix", "name", "empty", "no_body", "no_type", "no_file", "field", "two", "boundary", "broken"],
)
def test_request_without_a_usable_file_is_refused(var_dir: Path, answer: Callable[[], Any]) -> None:
    refused = answer()
    assert (refused.status_code, refused.json()["code"]) == (400, "bad_upload")
    assert stored(var_dir) == []
    assert not Run.objects.exists()


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"format": "xml"}, "format"),
        ({"max_rejected": "2"}, "max_rejected"),
        ({"target": "a\x00"}, "target"),
        ({"path": "/etc/passwd"}, "path"),
        ({"files": "x"}, "files"),
    ],
)
def test_option_of_another_kind_is_refused(var_dir: Path, fields: dict[str, str], name: str) -> None:
    answer = form(**fields)
    assert answer.status_code == 400
    assert name in answer.json()["fields"]
    assert stored(var_dir) == []


def test_name_of_the_file_is_never_a_path(var_dir: Path) -> None:
    for name in ("../../etc/cron.d/x.csv", "/etc/passwd.csv", "..\\x.csv", "<b>.csv", "a\nb.csv"):
        assert raw(query=f"?filename={name}").status_code == 202
    assert stored(var_dir) == [f"{DIGEST}.csv"]
    assert all(run.params["source"].isprintable() for run in Run.objects.all())


@pytest.mark.parametrize(("roles", "status"), [(("user",), 403), (("promoter", "readonly"), 403), ((), 401)])
def test_others_may_not_upload_and_nothing_is_stored(var_dir: Path, roles: tuple[str, ...], status: int) -> None:
    headers = bearer(*roles) if roles else {}
    answer = Client().post(URL, {"file": SimpleUploadedFile("a.csv", CSV)}, headers=headers)
    assert answer.status_code == status
    assert stored(var_dir) == []


def test_same_key_and_bytes_give_the_stored_run(var_dir: Path) -> None:
    first = raw(**{"Idempotency-Key": "k1"})
    assert raw(**{"Idempotency-Key": "k1"}).json()["id"] == first.json()["id"]
    other = raw(CSV + b"2013-01-03T10:00:00Z,AA,0\n", **{"Idempotency-Key": "k1"})
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_mismatch")
    assert Run.objects.count() == 1
    assert stored(var_dir) == [f"{DIGEST}.csv"]


def test_key_sent_again_after_the_run_ended_leaves_no_file(var_dir: Path) -> None:
    first = raw(**{"Idempotency-Key": "k1"})
    work()
    again = raw(**{"Idempotency-Key": "k1"})
    assert (again.json()["id"], again.json()["state"]) == (first.json()["id"], "succeeded")
    assert stored(var_dir) == []


def test_file_stays_while_another_run_needs_it(var_dir: Path) -> None:
    raw()
    work()
    Client().post("/api/v1/datasets/other/versions", CSV, content_type="text/csv", headers=bearer("admin"))
    sweep_uploads()
    assert stored(var_dir) == [f"{DIGEST}.csv"]
    assert work().params["dataset"] == "other"
    sweep_uploads()
    assert stored(var_dir) == []


def test_file_of_a_failed_run_waits_a_day_for_a_retry(var_dir: Path) -> None:
    raw(b"a,b\n1,2\n1\n1\n")
    failed = work()
    assert (failed.state, failed.error_code) == ("failed", "too_many_rejected")
    sweep_uploads()
    assert len(stored(var_dir)) == 1
    Run.objects.update(finished_at=timezone.now() - timedelta(days=2))
    sweep_uploads()
    assert stored(var_dir) == []
    retry_run(failed.pk, actor="test")
    assert work().error_code == "upload_gone"


def test_what_is_wrong_is_said_of_the_file_by_its_callers_name(var_dir: Path) -> None:
    form("march.csv", b"a,a\n1,2\n")
    failed = work()
    assert (failed.state, failed.error_code) == ("failed", "bad_header")
    assert failed.error.startswith("march.csv: ")


def test_stored_file_is_readable_by_the_installation_alone(var_dir: Path) -> None:
    raw()
    (name,) = stored(var_dir)
    assert (var_dir / "uploads" / name).stat().st_mode & 0o077 == 0


def test_file_of_a_cancelled_run_goes(var_dir: Path) -> None:
    raw()
    cancel_run(Run.objects.get().pk, actor="test")
    sweep_uploads()
    assert stored(var_dir) == []


def test_file_that_never_arrived_whole_goes_after_a_day(var_dir: Path) -> None:
    raw()
    abandoned = var_dir / "uploads" / ".arriving-dead"
    abandoned.write_bytes(b"x")
    sweep_uploads()
    assert abandoned.exists()
    past = (timezone.now() - timedelta(days=2)).timestamp()
    os.utime(abandoned, (past, past))
    sweep_uploads()
    assert not abandoned.exists()


@pytest.fixture
def full_disk(var_dir: Path) -> Iterator[None]:
    """Let the uploads folder hold 1 MiB."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    place = var_dir / "uploads"
    place.mkdir()
    if os.system(f"mount -t tmpfs -o size=1m tmpfs {place}") != 0:
        pytest.skip("a file system can't be mounted here")
    yield
    os.system(f"umount {place}")


def test_full_disk_is_said_and_nothing_stays(full_disk: None, var_dir: Path) -> None:
    body = CSV + os.urandom(3_000_000).hex().encode()
    for answer in (form(body=body), raw(body)):
        assert (answer.status_code, answer.json()["code"]) == (503, "upload_not_stored")
    assert stored(var_dir) == []
    assert raw().status_code == 202
