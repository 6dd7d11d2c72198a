"""Files uploaded to a dataset: streamed, bounded, ingested by a run, and gone afterwards."""

import gzip
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.test import Client

from features.models import Dataset
from models_store.models import AuditEntry
from pipeline.actions.ingest_upload import sweep_uploads
from pipeline.models import Run
from tests.callers import bearer
from tests.pipeline.upload_steps import CSV, DIGEST, URL, form, raw, stored, work

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _folder(var_dir: Path) -> None:
    """Give each test a run-time folder of its own."""


@pytest.fixture
def limit(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    def change(megabytes: int) -> None:
        features = settings.CONFIG.features.model_copy(update={"max_upload_mb": megabytes})
        monkeypatch.setattr(settings, "CONFIG", settings.CONFIG.model_copy(update={"features": features}))

    return change


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


def test_rows_with_the_same_key_are_replaced_where_that_is_asked_for() -> None:
    form()
    assert work().state == "succeeded"
    form(body=CSV.replace(b"UA,1", b"UA,0"), mode="upsert", key=["carrier"])
    assert Run.objects.latest("created_at").params["mode"] == "upsert"
    assert work().state == "succeeded"
    newest = Dataset.objects.get().versions.get(number=2)
    assert (newest.mode, newest.rows_total, newest.rows_replaced) == ("upsert", 2, 2)


def test_mended_rows_of_the_quarantine_come_back_and_count_once(tmp_path: Path) -> None:
    assert form(timestamp="at").status_code == 202
    assert work().state == "succeeded"
    assert (
        form(
            body=b"at,carrier,late\nnever,AA,1\nsoon,UA,0\n2013-01-02T11:00:00Z,UA,0\n", max_rejected="0.9"
        ).status_code
        == 202
    )
    assert work().result["rows_rejected"] == 2
    call_command("quarantine", "flights", "--export", str(tmp_path / "r.csv"))
    mended = (tmp_path / "r.csv").read_bytes().replace(b"never", b"2013-01-03T10:00:00Z")
    assert form("r.csv", mended, mode="fix").status_code == 202
    done = work()
    assert (done.state, done.result["rows_fixed"], done.result["rows_refused"]) == ("succeeded", 1, 1)
    assert Dataset.objects.get().versions.get(number=3).rows_total == 4
    assert form("r.csv", mended, mode="fix").status_code == 202
    assert (work().result["created"], Dataset.objects.get().versions.count()) == (False, 3)
    again = mended.replace(b"10:00", b"11:00")
    assert form("again.csv", again, mode="fix").status_code == 202
    failed = work()
    assert (failed.state, failed.error_code) == ("failed", "nothing_fixed")
    assert "already_fixed (1)" in failed.error


def test_mended_rows_take_no_options_and_no_other_file(var_dir: Path) -> None:
    refused = form(mode="fix", target="late", na=["x"])
    assert (refused.status_code, stored(var_dir)) == (400, [])
    assert "without options; got na, target" in str(refused.json()["fields"]["options"])
    assert form().status_code == 202
    assert work().state == "succeeded"
    assert form(mode="fix").status_code == 202
    failed = work()
    assert (failed.state, failed.error_code) == ("failed", "bad_header")
    assert failed.error.startswith("flights.csv")


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
    refused = AuditEntry.objects.filter(action="dataset.upload_refused", object_id="flights", actor__endswith=":caller")
    assert refused.count() == (1 if roles else 0)


def test_refused_uploads_are_recorded_no_more_often_than_the_limit(
    var_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "CONFIG", settings.CONFIG.model_copy(update={"rate_limit": "2/day"}))
    told = [Client().post(URL, CSV, content_type="text/csv", headers=bearer("user")).status_code for _ in range(4)]
    assert told == [403, 403, 429, 429]
    assert AuditEntry.objects.filter(action="dataset.upload_refused").count() == 2
