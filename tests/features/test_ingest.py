import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.actions.ingest import ingest, ingest_synthetic
from features.adapters.delta import read_quarantine, read_table
from features.adapters.reading import CSV_MISSING, ReadOptions
from features.core.schema import ColumnRoles
from features.errors import SchemaError
from features.models import Dataset, DatasetVersion
from tests.features.conftest import FLIGHTS, ROLES

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("var_dir")]


def rows(name: str, version: int = 1) -> list[dict]:
    found = DatasetVersion.objects.resolve(f"{name}@{version}")
    return read_table(name, found.delta_version).to_pylist()


def test_rows_schema_and_times_are_stored(flights):
    dataset = Dataset.objects.get()
    version = DatasetVersion.objects.get()
    assert (flights.rows_read, flights.rows_valid, flights.created) == (5, 5, True)
    assert {column.name: (column.dtype, column.role) for column in dataset.columns()} == {
        "at": ("timestamp", "timestamp"),
        "known": ("timestamp", "known_at"),
        "carrier": ("string", "feature"),
        "tail": ("string", "feature"),
        "delay": ("integer", "ignore"),
        "late": ("boolean", "target"),
    }
    assert (dataset.timestamp_column, dataset.known_at_column, dataset.target_column) == ("at", "known", "late")
    assert version.first_event_at.isoformat() == "2013-01-01T10:00:00+00:00"
    assert version.last_event_at.isoformat() == "2013-01-03T10:00:00+00:00"
    assert rows("flights")[4]["delay"] is None


def test_same_bytes_give_the_same_version(flights, write):
    again = ingest("flights", [write("other-name.csv", FLIGHTS)], actor="test")
    assert (again.version, again.fingerprint, again.created) == (1, flights.fingerprint, False)
    assert DatasetVersion.objects.count() == 1


@pytest.mark.parametrize(
    "read",
    [ReadOptions(format="csv"), ReadOptions(na=(*reversed(CSV_MISSING), "NA"))],
)
def test_saying_what_goes_without_saying_gives_the_same_version(flights, write, read):
    assert not ingest("flights", [write("flights.csv", FLIGHTS)], actor="test", read=read).created
    assert not ingest("flights", [write("flights.txt", FLIGHTS)], actor="test", read=read).created


def test_same_bytes_read_otherwise_are_another_version(flights, write):
    again = ingest("flights", [write("f.csv", FLIGHTS)], actor="test", read=ReadOptions(na=("", "XX")))
    assert (again.version, again.created) == (2, True)


def test_a_second_file_is_appended_and_the_first_version_stays(flights, write):
    more = "late,delay,tail,carrier,known,at\ntrue,30,N9,DL,2013-02-01T12:00:00Z,2013-02-01T10:00:00Z\n"
    added = ingest("flights", [write("more.csv", more)], actor="test")
    assert (added.version, added.rows_valid) == (2, 1)
    assert DatasetVersion.objects.get(number=2).rows_total == 6
    assert [len(rows("flights", number)) for number in (1, 2)] == [5, 6]
    assert rows("flights", 2)[5]["at"].isoformat() == "2013-02-01T10:00:00+00:00"


def test_faulty_rows_go_to_quarantine_whole_with_every_reason(flights, write):
    lines = ["at,known,carrier,tail,delay,late"]
    lines += ["2013-02-01T10:00:00Z,2013-02-01T12:00:00Z,UA,N1,7,true"] * 9
    lines += ["2013-02-31,2013-02-01T12:00:00Z,,N1,many,maybe", "too,few"]
    added = ingest("flights", [write("bad.csv", "\n".join(lines))], actor="test", max_rejected=0.2)
    assert (added.rows_valid, added.rows_rejected) == (9, 2)
    assert added.reasons == {
        "not_timestamp": 1, "missing_value": 1, "not_integer": 1, "not_boolean": 1, "wrong_number_of_fields": 1,
    }  # fmt: skip
    first, second = read_quarantine("flights", added.fingerprint)
    assert first["row"] == 10
    assert json.loads(first["raw"])["delay"] == "many"
    assert first["reasons"] == [
        {"column": "at", "rule": "not_timestamp", "value": "2013-02-31"},
        {"column": "carrier", "rule": "missing_value", "value": None},
        {"column": "delay", "rule": "not_integer", "value": "many"},
        {"column": "late", "rule": "not_boolean", "value": "maybe"},
    ]
    assert (second["row"], second["raw"], second["reasons"][0]["rule"]) == (11, "too,few", "wrong_number_of_fields")


def test_each_ingestion_has_its_own_quarantine(var_dir, write):
    prints = []
    for place in range(2):
        body = "x\n" + "1\n" * 50 + f"bad{place}\n"
        prints.append(ingest("d", [write("d.csv", body)], actor="test").fingerprint)
    assert [json.loads(read_quarantine("d", each)[0]["raw"]) for each in prints] == [{"x": "bad0"}, {"x": "bad1"}]
    assert read_quarantine("none", prints[0]) == []


def test_parquet_and_json_lines_give_the_same_rows(write, tmp_path):
    table = pa.table({"x": [1, 2], "s": pa.array(["a", None]).dictionary_encode(), "b": [True, None]})
    pq.write_table(table, tmp_path / "t.parquet")
    lines = '{"x": 1, "s": "a", "b": true}\n\n{"x": 2, "s": null}\n'
    ingest("p", [tmp_path / "t.parquet"], actor="test")
    ingest("j", [write("t.jsonl", lines)], actor="test")
    assert rows("p") == rows("j") == [{"x": 1, "s": "a", "b": True}, {"x": 2, "s": None, "b": None}]
    assert Dataset.objects.get(name="p").schema == Dataset.objects.get(name="j").schema


def test_broken_json_lines_go_to_quarantine(write):
    good = '{"x": 1}\n' * 20
    added = ingest("j", [write("t.jsonl", good)], actor="test")
    bad = (
        good
        + '{"x": \n[1]\n{"x": 2, "y": 3}\n{"x": "abc"}\n{"x": 99999999999999999999}\n{"x": null}\n{"x": {"a": 1}}\n'
    )
    added = ingest("j", [write("bad.jsonl", bad)], actor="test", max_rejected=0.5)
    assert added.reasons == {
        "not_json": 1, "not_an_object": 1, "unknown_field": 1, "not_integer": 3, "missing_value": 1,
    }  # fmt: skip
    assert [row["row"] for row in read_quarantine("j", added.fingerprint)] == list(range(21, 28))


def test_files_without_a_header_take_the_names_given(write):
    read = ReadOptions(columns=("a", "b"), header=False, na=("-",))
    added = ingest("d", [write("1.csv", "1,x\n-,y\n"), write("2.csv", "3,\n")], actor="test", read=read)
    assert added.rows_valid == 3
    assert sorted(rows("d"), key=str) == [{"a": 1, "b": "x"}, {"a": 3, "b": ""}, {"a": None, "b": "y"}]


def test_quoted_line_breaks_and_a_mark_of_bytes_are_understood(write):
    ingest("d", [write("d.csv", b'\xef\xbb\xbfa,b\r\n"x\r\ny",1\r\n')], actor="test")
    assert rows("d") == [{"a": "x\r\ny", "b": 1}]


def test_a_given_schema_is_the_contract(write):
    schema = {"columns": [{"name": "x", "dtype": "number", "min": 0, "role": "target"}], "max_rejected": 0.5}
    added = ingest("d", [write("d.csv", "x\n1\n-1\n")], actor="test", schema=schema)
    assert added.reasons == {"below_minimum": 1}
    assert Dataset.objects.get().quality_policy == {"max_rejected": 0.5}
    assert Dataset.objects.get().target_column == "x"
    again = ingest("d", [write("e.csv", "x\n2\n")], actor="test", schema=schema["columns"])
    assert again.version == 2


def test_another_schema_or_role_for_a_known_dataset_is_refused(flights, write):
    path = write("f.csv", FLIGHTS + "2013-01-04,2013-01-04,UA,N1,1,true\n")
    with pytest.raises(SchemaError, match="delay is ignore, not target"):
        ingest("flights", [path], actor="test", roles=ColumnRoles(target="delay"))
    with pytest.raises(SchemaError, match="has another schema already"):
        ingest("flights", [path], actor="test", schema=[{"name": "x", "dtype": "number"}])
    assert ingest("flights", [path], actor="test", roles=ROLES).version == 2


def test_a_dry_run_writes_nothing(var_dir, write):
    seen = ingest("d", [write("d.csv", "x\n1\n")], actor="test", dry_run=True)
    assert (seen.version, seen.rows_valid, seen.created) == (1, 1, False)
    assert not Dataset.objects.exists()
    assert not (var_dir / "datasets").exists()
    assert list((var_dir / "staging").iterdir()) == []


def test_a_dry_run_on_a_known_dataset_names_the_next_version(flights, write):
    path = write("f.csv", FLIGHTS + "2013-01-04,2013-01-04,UA,N1,1,true\n")
    assert ingest("flights", [path], actor="test", dry_run=True).version == 2


def test_synthetic_rows_follow_the_schema_and_the_seed(flights):
    made = ingest_synthetic("flights", 70_000, seed=1, actor="test")
    assert (made.version, made.rows_valid, made.rows_rejected) == (2, 70_000, 0)
    assert not ingest_synthetic("flights", 70_000, seed=1, actor="test").created
    assert ingest_synthetic("flights", 10, seed=2, actor="test").version == 3
    assert DatasetVersion.objects.get(number=2).first_event_at > DatasetVersion.objects.get(number=1).last_event_at


def test_synthetic_rows_of_a_new_dataset_need_a_schema(var_dir):
    columns = [
        {"name": "n", "dtype": "number", "max": 5},
        {"name": "i", "dtype": "integer", "min": 0, "max": 9, "nullable": False},
        {"name": "k", "dtype": "string", "allowed": ["a", "b"]},
        {"name": "e", "dtype": "string", "role": "entity"},
        {"name": "b", "dtype": "boolean"},
        {"name": "t", "dtype": "timestamp"},
        {"name": "y", "dtype": "integer", "min": 0, "max": 1, "role": "target"},
    ]
    made = ingest_synthetic("s", 500, seed=0, actor="test", schema=columns, dry_run=True)
    assert (made.rows_valid, made.rows_rejected) == (500, 0)
    for dtype, bounds in (("string", {}), ("number", {"min": 0})):
        columns[-1] = {"name": "y", "dtype": dtype, "role": "target", **bounds}
        assert ingest_synthetic(f"s{dtype}", 50, seed=0, actor="test", schema=columns).rows_valid == 50
    with pytest.raises(SchemaError, match="synthetic rows: 1 to"):
        ingest_synthetic("s", 0, seed=0, actor="test", schema=columns)
