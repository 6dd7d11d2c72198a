"""Rows that come to others, replace them, or take the place of some by key; every earlier version stays as it was."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from features.actions.add_version import IngestResult
from features.actions.ingest import ingest
from features.adapters.delta import read_table, table_files
from features.core.schema import ColumnRoles
from features.errors import SchemaError, UpsertKeyError
from features.models import Dataset, DatasetVersion

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("var_dir")]

ROLES = ColumnRoles(entity=("who",), timestamp="at", known_at="known")
HEADER = "who,at,known,x\n"
Bring = Callable[..., IngestResult]


def row(who: str, day: str, known: str, x: int) -> str:
    return f"{who},{day}T00:00:00Z,{known}T00:00:00Z,{x}\n"


FIRST = HEADER + row("a", "2013-01-01", "2013-01-01", 1) + row("b", "2013-01-01", "2013-01-02", 2)
FIRST += row("a", "2013-03-01", "2013-03-01", 3)


@pytest.fixture
def bring(write: Callable[[str, str], Path]) -> Bring:
    def brought(body: str, **how: object) -> IngestResult:
        return ingest("d", [write("d.csv", body)], actor="test", **how)

    brought(FIRST, roles=ROLES)
    return brought


def held(number: int | None = None) -> list[tuple[str, str, int]]:
    version = DatasetVersion.objects.resolve(f"d@{number}" if number else "d")
    table = read_table("d", version.delta_version)
    return sorted((one["who"], one["at"].date().isoformat(), one["x"]) for one in table.to_pylist())


AT_FIRST = [("a", "2013-01-01", 1), ("a", "2013-03-01", 3), ("b", "2013-01-01", 2)]


def test_replacement_is_the_whole_table_and_the_version_before_stays(bring: Bring) -> None:
    made = bring(HEADER + row("c", "2014-01-01", "2014-01-01", 9), mode="replace")
    assert (made.version, made.mode, made.rows_replaced, made.rows_total) == (2, "replace", 3, 1)
    assert held() == [("c", "2014-01-01", 9)]
    assert held(1) == AT_FIRST


def test_upsert_replaces_rows_of_the_same_entity_and_time(bring: Bring) -> None:
    made = bring(
        HEADER + row("a", "2013-01-01", "2013-02-01", 10) + row("c", "2013-02-01", "2013-02-01", 4), mode="upsert"
    )
    assert (made.rows_valid, made.rows_replaced, made.rows_total) == (2, 1, 4)
    assert held() == [("a", "2013-01-01", 10), ("a", "2013-03-01", 3), ("b", "2013-01-01", 2), ("c", "2013-02-01", 4)]
    assert held(1) == AT_FIRST


def test_upsert_by_another_key_replaces_every_row_that_has_it(bring: Bring) -> None:
    made = bring(HEADER + row("a", "2015-01-01", "2015-01-01", 7), mode="upsert", key=["who"])
    assert (made.rows_replaced, made.rows_total) == (2, 2)
    assert held() == [("a", "2015-01-01", 7), ("b", "2013-01-01", 2)]


def test_of_several_rows_of_one_key_the_one_known_last_counts_then_the_last_one(bring: Bring) -> None:
    rows = [row("a", "2013-01-01", "2013-05-01", 5), row("a", "2013-01-01", "2013-04-01", 4)]
    rows += [row("b", "2013-01-01", "2013-04-01", x) for x in (6, 7)]
    made = bring(HEADER + "".join(rows), mode="upsert")
    assert (made.rows_valid, made.rows_replaced, made.rows_total) == (4, 2, 3)
    assert held() == [("a", "2013-01-01", 5), ("a", "2013-03-01", 3), ("b", "2013-01-01", 7)]


def test_upsert_without_a_value_in_the_key_is_refused_and_nothing_is_written(write: Callable[[str, str], Path]) -> None:
    ingest("n", [write("n.csv", "k,x\n,1\n2,2\n")], actor="test")
    with pytest.raises(UpsertKeyError, match="2 rows have no value in the key"):
        ingest("n", [write("m.csv", "k,x\n,3\n,4\n2,5\n")], actor="test", mode="upsert", key=["k"])
    assert DatasetVersion.objects.count() == 1


@pytest.mark.parametrize(
    ("how", "error", "text"),
    [
        ({"mode": "merge"}, SchemaError, "append, replace, upsert"),
        ({"mode": "upsert", "key": ["nobody"]}, UpsertKeyError, "names no column"),
        ({"mode": "replace", "key": ["who"]}, UpsertKeyError, "for the mode upsert"),
    ],
)
def test_a_mode_or_key_that_cannot_be_is_refused(bring: Bring, how: dict, error: type, text: str) -> None:
    with pytest.raises(error, match=text):
        bring(FIRST, **how)


def test_upsert_into_a_dataset_without_entity_and_time_needs_a_key(write: Callable[[str, str], Path]) -> None:
    path = write("n.csv", "k,x\n1,1\n2,2\n")
    with pytest.raises(UpsertKeyError, match="give it with --key"):
        ingest("n", [path], actor="test", mode="upsert")
    assert ingest("n", [path], actor="test", mode="upsert", key=["k"]).rows_total == 2
    again = ingest("n", [write("m.csv", "k,x\n2,9\n3,3\n")], actor="test", mode="upsert", key=["k"])
    assert (again.rows_replaced, again.rows_total) == (1, 3)
    table = read_table("n", DatasetVersion.objects.resolve("n").delta_version)
    assert sorted(zip(*table.to_pydict().values(), strict=True)) == [(1, 1), (2, 9), (3, 3)]


def test_a_dry_run_says_what_would_be_replaced(bring: Bring) -> None:
    body = HEADER + row("a", "2013-01-01", "2013-02-01", 10) + row("c", "2013-02-01", "2013-02-01", 4)
    seen = bring(body, mode="upsert", dry_run=True)
    assert (seen.rows_replaced, seen.rows_total, seen.created) == (1, 4, False)
    assert bring(body, mode="replace", dry_run=True).rows_replaced == 3
    assert DatasetVersion.objects.count() == 1


def test_the_same_replacement_again_is_the_same_version_unless_something_came_after(bring: Bring) -> None:
    body = HEADER + row("c", "2014-01-01", "2014-01-01", 9)
    assert bring(body, mode="replace").version == 2
    assert not bring(body, mode="replace").created
    assert bring(FIRST, mode="replace").version == 3
    assert (bring(body, mode="replace").version, held()) == (4, [("c", "2014-01-01", 9)])


def test_rows_appended_before_a_replacement_can_be_appended_after_it_once(bring: Bring) -> None:
    bring(HEADER + row("c", "2014-01-01", "2014-01-01", 9), mode="replace")
    assert (bring(FIRST).created, bring(FIRST).created) == (True, False)
    assert len(held()) == 4


def test_refused_rows_of_an_upsert_are_found_under_its_version(bring: Bring) -> None:
    from features.adapters.delta import read_quarantine

    made = bring(HEADER + row("a", "2013-01-01", "2013-02-01", 10) + "a,never,,\n", mode="upsert", max_rejected=0.5)
    assert [one["row"] for one in read_quarantine("d", made.fingerprint)] == [2]


def test_a_late_correction_keeps_both_times_and_its_history_when_appended(bring: Bring) -> None:
    bring(HEADER + row("a", "2013-01-01", "2013-06-01", 100))
    table = read_table("d", DatasetVersion.objects.resolve("d").delta_version)
    of_that_day = table.filter(pc.and_(pc.equal(table["who"], "a"), pc.equal(pc.year(table["at"]), 2013)))
    moment = pa.scalar(datetime(2013, 2, 1, tzinfo=UTC), table["known"].type)
    assert of_that_day.filter(pc.less_equal(of_that_day["known"], moment))["x"].to_pylist() == [1]
    assert sorted(of_that_day["x"].to_pylist()) == [1, 3, 100]


def test_table_is_cut_by_time_and_a_span_reads_the_files_it_needs(bring: Bring) -> None:
    bring(HEADER + row("c", "2014-05-01", "2014-05-01", 9))
    assert Dataset.objects.get().partition_by == "year"
    version = DatasetVersion.objects.resolve("d").delta_version
    span = {"since": datetime(2014, 1, 1, tzinfo=UTC), "until": datetime(2014, 6, 1, tzinfo=UTC)}
    assert [file.rows for file in table_files("d", version, **span)] == [1]
    assert read_table("d", version, **span)["x"].to_pylist() == [9]
    assert read_table("d", version, ["x"], until=datetime(2013, 3, 1, tzinfo=UTC))["x"].to_pylist() == [1, 2]
    assert read_table("d", version).column_names == ["who", "at", "known", "x"]
    assert sum(file.rows for file in table_files("d", version)) == 4


def test_unique_values_of_rows_that_are_replaced_may_come_again(write: Callable[[str, str], Path]) -> None:
    schema = [{"name": "k", "dtype": "integer"}, {"name": "mail", "dtype": "string", "unique": True}]
    ingest("n", [write("1.csv", "k,mail\n1,a\n2,b\n")], actor="test", schema=schema)
    more: dict[str, object] = {"actor": "test", "max_rejected": 0.9}
    made = ingest("n", [write("2.csv", "k,mail\n1,a\n3,b\n4,c\n")], mode="upsert", key=["k"], **more)
    # b belongs to a row that stays.
    assert (made.rows_valid, made.rows_rejected, made.rows_replaced, made.rows_total) == (2, 1, 1, 3)
    assert ingest("n", [write("3.csv", "k,mail\n9,a\n8,b\n")], mode="replace", **more).rows_rejected == 0
