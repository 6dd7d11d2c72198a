"""Tables, quarantine and snapshots in a bucket: the same behaviour, and nothing of them on this machine."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings
from pyarrow import fs
from pydantic import SecretStr

from features.actions.compact import compact_tables
from features.actions.ingest import ingest
from features.actions.mend_tables import check_tables
from features.actions.prune import prune
from features.actions.take_snapshot import take_snapshot
from features.adapters.delta import read_quarantine, read_table, table_files
from features.adapters.snapshots import read_snapshot
from features.core.schema import ColumnRoles
from features.errors import SnapshotDamagedError, StorageUnavailableError, VersionPrunedError
from features.models import ContractVersion, Dataset, DatasetVersion
from tests.s3 import CREDENTIALS, make_bucket, s3_server

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("var_dir")]
BUCKET = "lake"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with s3_server() as endpoint:
        yield endpoint


def store_at(monkeypatch: pytest.MonkeyPatch, endpoint: str, url: str = f"s3://{BUCKET}/pre/fix") -> None:
    given = {"url": SecretStr(url), "endpoint": SecretStr(endpoint), "allow_http": True}
    storage = settings.CONFIG.storage.model_copy(update=given)
    monkeypatch.setattr(settings, "CONFIG", settings.CONFIG.model_copy(update={"storage": storage}))


@pytest.fixture
def bucket(server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[fs.S3FileSystem]:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    made = make_bucket(server, BUCKET)
    store_at(monkeypatch, server)
    yield made
    made.delete_dir_contents(BUCKET)


def stored(spec: str) -> list[int]:
    name = spec.partition("@")[0]
    return sorted(read_table(name, DatasetVersion.objects.resolve(spec).delta_version)["x"].to_pylist())


def test_a_dataset_lives_in_the_bucket_from_ingestion_to_pruning(
    bucket: fs.S3FileSystem, write: Callable[[str, str], Path], var_dir: Path
) -> None:
    first = "at,k,x\n2012-01-01T00:00:00Z,a,1\n2013-01-01T00:00:00Z,b,2\n"
    ingest("d", [write("1.csv", first)], actor="test", roles=ColumnRoles(timestamp="at"))
    more = write("2.csv", "at,k,x\n2013-01-01T00:00:00Z,c,3\nnever,c,3\n")
    made = ingest("d", [more], actor="test", max_rejected=0.5)
    ingest("d", [write("3.csv", "at,k,x\n2013-01-01T00:00:00Z,b,20\n")], actor="test", mode="upsert", key=["k"])
    assert [stored(f"d@{number}") for number in (1, 2, 3)] == [[1, 2], [1, 2, 3], [1, 3, 20]]
    assert [one["row"] for one in read_quarantine("d", made.fingerprint)] == [2]
    version = DatasetVersion.objects.resolve("d").delta_version
    assert table_files("d", version)[0].path.startswith(f"s3://{BUCKET}/pre/fix/datasets/d/table/__date=")

    ingest("d", [write("4.csv", "at,k,x\n2012-05-01T00:00:00Z,e,5\n")], actor="test")
    (compacted,) = compact_tables("d", actor="test").tables
    assert compacted.files_after < compacted.files_before
    assert (stored("d"), stored("d@2")) == ([1, 3, 5, 20], [1, 2, 3])
    assert check_tables().faults == ()

    snapshot = take_snapshot("s", dataset="d", actor="test")
    assert read_snapshot(snapshot).num_rows == 4

    DatasetVersion.objects.update(created_at="2020-01-01T00:00:00Z")
    planned, done = prune(actor="test", dry_run=True), prune(actor="test")
    assert (planned.removed, planned.bytes > 0) == (done.removed, True)
    assert (stored("d"), prune(actor="test").removed) == ([1, 3, 5, 20], ())
    with pytest.raises(VersionPrunedError):
        stored("d@2")
    assert read_snapshot(snapshot).num_rows == 4
    assert not list(var_dir.rglob("*.parquet"))


def test_a_table_of_a_dead_first_ingestion_is_replaced(
    bucket: fs.S3FileSystem, write: Callable[[str, str], Path]
) -> None:
    ingest("d", [write("1.csv", "x\n1\n")], actor="test")
    DatasetVersion.objects.all().delete()
    ContractVersion.objects.all().delete()
    Dataset.objects.all().delete()
    ingest("d", [write("2.csv", "x\n2\n")], actor="test")
    assert stored("d") == [2]


def test_a_snapshot_that_is_gone_from_the_bucket_is_told_of(
    bucket: fs.S3FileSystem, write: Callable[[str, str], Path]
) -> None:
    ingest("d", [write("1.csv", "x\n1\n")], actor="test")
    snapshot = take_snapshot("s", dataset="d", actor="test")
    bucket.delete_file(f"{BUCKET}/pre/fix/{snapshot.path}")
    with pytest.raises(SnapshotDamagedError, match="no rows on disk"):
        read_snapshot(snapshot)


@pytest.mark.parametrize("url", ["s3://no-such-bucket/x", f"s3://{BUCKET}/pre/fix"])
def test_a_bucket_that_cannot_be_used_is_one_clear_error_without_a_credential(
    bucket: fs.S3FileSystem, write: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch, server: str, url: str
) -> None:
    # Nobody listens on port 9 of this machine.
    store_at(monkeypatch, server if "no-such" in url else "http://127.0.0.1:9", url)
    with pytest.raises(StorageUnavailableError, match=url) as refused:
        ingest("d", [write("1.csv", "x\n1\n")], actor="test")
    assert not any(secret in json.dumps(refused.value.as_dict()) for secret in CREDENTIALS.values())
    assert not Dataset.objects.exists()
