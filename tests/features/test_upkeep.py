"""Tables kept in order: compaction, retention, leftovers, and what the database and the table disagree on."""

import json
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from deltalake import DeltaTable
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone

from features.actions.apply_feature_view import apply_feature_view
from features.actions.compact import compact_tables
from features.actions.ingest import ingest
from features.actions.materialize import materialize
from features.actions.mend_tables import check_tables, mend_tables
from features.actions.prune import prune
from features.actions.take_snapshot import take_snapshot
from features.adapters.delta import read_quarantine, read_table
from features.core.fingerprint import table_digest
from features.core.partitions import partition_span
from features.core.schema import ColumnRoles
from features.errors import TableLostError, VersionPrunedError
from features.models import Dataset, DatasetVersion, OnlineFeature
from models_store.models import AuditEntry

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("var_dir")]
Bring = Callable[..., str]


@pytest.fixture
def bring(write: Callable[[str, str], Path]) -> Bring:
    def brought(*values: int, mode: str = "append", bad: int = 0) -> str:
        lines = [f"2013-01-{value:02d}T00:00:00Z,k,{value}" for value in values] + ["never,k,0"] * bad
        path = write("d.csv", "at,k,x\n" + "\n".join(lines) + "\n")
        roles = ColumnRoles(timestamp="at", entity=("k",))
        return ingest("d", [path], actor="test", roles=roles, mode=mode, max_rejected=0.9).fingerprint

    return brought


def rows(spec: str = "d") -> list[int]:
    return sorted(read_table("d", DatasetVersion.objects.resolve(spec).delta_version)["x"].to_pylist())


def content(spec: str) -> str:
    table = read_table("d", DatasetVersion.objects.resolve(spec).delta_version)
    return table_digest(table.sort_by("x").combine_chunks(), [])


def ago(days: float) -> None:
    DatasetVersion.objects.update(created_at=timezone.now() - timedelta(days=days))


def test_compaction_changes_files_and_nothing_else(bring: Bring) -> None:
    for value in range(1, 7):
        bring(value)
    before = [content(f"d@{number}") for number in range(1, 7)]
    (one,) = compact_tables("d", actor="test").tables
    assert (one.files_before, one.files_after) == (6, 1)
    assert [content(f"d@{number}") for number in range(1, 7)] == before
    bring(9)
    assert rows() == [1, 2, 3, 4, 5, 6, 9]
    assert compact_tables(actor="test").tables[0].files_before == 2


def test_versions_past_their_retention_go_and_the_newest_stays(bring: Bring, var_dir: Path) -> None:
    bring(1, 2)
    old = bring(5, bad=1)
    bring(3, mode="replace")
    ago(91)
    planned = prune(actor="test", dry_run=True)
    assert rows("d@1") == [1, 2]
    done = prune(actor="test")
    assert (planned.removed, planned.bytes) == (done.removed, done.bytes)
    assert [item.kind for item in done.removed] == ["version", "version", "table files", "quarantine"]
    assert (rows(), read_quarantine("d", old)) == ([3], [])
    with pytest.raises(VersionPrunedError, match="the rows of d@1 were removed"):
        rows("d@1")
    with pytest.raises(VersionPrunedError):
        take_snapshot("s", dataset="d@1", actor="test")
    assert len(list((var_dir / "datasets").rglob("*.parquet"))) == 1
    assert AuditEntry.objects.filter(action="dataset.prune").count() == 1
    assert prune(actor="test").removed == ()
    bring(4)
    assert rows() == [3, 4]


def test_a_version_stays_as_long_as_its_dataset_says_after_the_next_one_came(bring: Bring) -> None:
    bring(1)
    ago(400)
    bring(2, mode="replace")
    assert prune(actor="test").removed == ()
    Dataset.objects.update(keep_days=365)
    ago(300)
    assert prune(actor="test").removed == ()
    Dataset.objects.update(keep_days=200)
    assert prune(actor="test").removed[0].name == "d@1"


def test_a_version_whose_online_values_are_served_stays(bring: Bring) -> None:
    bring(1)
    features = [{"name": "n", "function": "count", "window": "7d"}]
    apply_feature_view({"name": "v", "dataset": "d", "entity": "k", "features": features}, actor="test")
    materialize("v", actor="test")
    bring(2, mode="replace")
    ago(400)
    assert prune(actor="test").removed == ()
    assert OnlineFeature.objects.count() == 1


def test_leftovers_go_a_day_after_they_were_touched(bring: Bring, var_dir: Path) -> None:
    bring(1)
    left = [var_dir / "staging/ingest-x/valid.arrow", var_dir / "uploads/u.csv", var_dir / "snapshots/abc/data.parquet"]
    left += [var_dir / "datasets/gone/table/part.parquet", var_dir / "datasets/d/table/dead.parquet"]
    for path in left:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"12345")
    outside = var_dir / "outside"
    outside.write_bytes(b"stays")
    (var_dir / "uploads/link").symlink_to(outside)
    # Nobody else holds the dataset's lock, so a file that no version of its table names belongs to nobody.
    assert [item.kind for item in prune(actor="test").removed] == ["table files"]
    for path in [*left[:-1], var_dir / "staging/ingest-x", var_dir / "uploads/link"]:
        os.utime(path, (0, 0), follow_symlinks=False)
    (var_dir / "staging/now").write_bytes(b"1")
    found = prune(actor="test")
    assert sorted(item.kind for item in found.removed) == ["snapshot", "staging", "table", "upload", "upload"]
    assert [path.exists() for path in left] == [False] * 5
    assert (outside.exists(), (var_dir / "staging/now").exists()) == (True, True)
    assert rows() == [1]


def test_doctor_finds_and_mends_a_version_nobody_names(bring: Bring, var_dir: Path) -> None:
    bring(1)
    bring(2)
    newest = DatasetVersion.objects.get(number=2)
    Dataset.objects.update(delta_head=newest.delta_version - 1)
    newest.delete()
    with pytest.raises(CommandError, match="tables"):
        call_command("doctor", stdout=(said := StringIO()))
    assert "d: orphan, the table is at version 1, recorded is 0" in said.getvalue()
    (fault,) = mend_tables(actor="test").faults
    assert fault.kind == "orphan"
    assert check_tables().faults == ()
    assert DeltaTable(str(var_dir / "datasets/d/table")).to_pyarrow_table()["x"].to_pylist() == [1]
    bring(3)
    assert rows() == [1, 3]


def test_a_lost_table_is_refused_until_it_is_given_up(bring: Bring, var_dir: Path) -> None:
    bring(1)
    bring(2)
    shutil.rmtree(var_dir / "datasets/d/table")
    with pytest.raises(TableLostError, match="doctor --mend"):
        bring(3)
    (fault,) = mend_tables(actor="test").faults
    assert (fault.kind, check_tables().faults) == ("lost", ())
    bring(3)
    assert (rows(), DatasetVersion.objects.get(number=3).rows_total) == ([3], 1)
    with pytest.raises(VersionPrunedError):
        rows("d@2")
    entry = AuditEntry.objects.get(action="dataset.mend")
    assert entry.after == {"head": None, "versions given up": [1, 2]}


def test_a_version_pruned_before_the_table_was_lost_is_not_taken_for_a_new_one(bring: Bring, var_dir: Path) -> None:
    bring(1)
    bring(2, mode="replace")
    ago(91)
    prune(actor="test")
    shutil.rmtree(var_dir / "datasets/d/table")
    mend_tables(actor="test")
    # The new table counts from 0, as the old one did.
    bring(3, mode="upsert")
    assert rows() == [3]
    for number in (1, 2):
        with pytest.raises(VersionPrunedError, match=f"the rows of d@{number} were removed"):
            rows(f"d@{number}")


def test_a_lost_dataset_with_unique_values_takes_rows_again(write: Callable[[str, str], Path], var_dir: Path) -> None:
    schema = [{"name": "k", "dtype": "integer", "unique": True}]
    ingest("u", [write("1.csv", "k\n1\n")], actor="test", schema=schema)
    shutil.rmtree(var_dir / "datasets/u/table")
    mend_tables(actor="test")
    again: dict[str, object] = {"actor": "test", "mode": "upsert", "key": ["k"]}
    path = write("2.csv", "k\n1\n2\n")
    assert ingest("u", [path], dry_run=True, **again).rows_replaced == 0
    assert ingest("u", [path], **again).rows_total == 2


def test_a_table_older_than_its_record_goes_on_from_the_newest_version_left(bring: Bring, var_dir: Path) -> None:
    for value in (1, 2, 3):
        bring(value)
    (var_dir / "datasets/d/table/_delta_log/00000000000000000002.json").unlink()
    mend_tables(actor="test")
    bring(4)
    assert (rows(), DatasetVersion.objects.get(number=4).rows_total) == ([1, 2, 4], 3)


def test_commands_print_what_they_did(bring: Bring) -> None:
    bring(1)
    bring(2)
    call_command("compact", "d", "--json", stdout=(said := StringIO()))
    assert json.loads(said.getvalue()) == {"tables": [{"dataset": "d", "files_before": 2, "files_after": 1}]}
    call_command("prune", "--dry-run", stdout=(said := StringIO()))
    assert said.getvalue() == "0 things, 0 bytes would go\n"
    # No worker listens here, so the doctor has something to say anyway.
    with suppress(CommandError):
        call_command("doctor", "--mend", "--json", stdout=(said := StringIO()))
    tables = next(check for check in json.loads(said.getvalue())["checks"] if check["name"] == "tables")
    assert (tables["ok"], tables["detail"]) == (True, "1 fit what is recorded")


@pytest.mark.parametrize(
    ("days", "number", "span"),
    [
        (20, 2_000_000, "day"), (365, 336_776, "month"), (364, 5000, "year"), (36_500, 5000, None),
    ],
)  # fmt: skip
def test_span_is_the_finest_that_makes_few_and_full_parts(days: int, number: int, span: str | None) -> None:
    first = timezone.now().replace(year=2013, month=1, day=2)
    columns = ["at", "x"]
    chosen = partition_span(first, first + timedelta(days=days - 1), number, columns)
    assert chosen == span
    assert partition_span(first, first, number, [*columns, "__date"]) is None
