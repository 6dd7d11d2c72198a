"""How long an uploaded file is kept: while a run needs it, and a day for a retry."""

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.test import Client
from django.utils import timezone

from pipeline.actions.ingest_upload import sweep_uploads
from pipeline.actions.runs import cancel_run, retry_run
from pipeline.models import Run
from tests.callers import bearer
from tests.pipeline.upload_steps import CSV, DIGEST, form, raw, stored, work

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _folder(var_dir: Path) -> None:
    """Give each test a run-time folder of its own."""


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
