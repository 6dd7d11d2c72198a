"""`features history`: any file of labels gets what was known at each label's own time."""

import json
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.actions import label_history as action
from features.actions.apply_feature_view import apply_feature_view
from features.actions.ingest import ingest
from features.actions.label_history import label_history
from features.adapters import label_files
from features.core.schema import ColumnRoles
from features.errors import (
    ColumnsError,
    EmptyFileError,
    FeatureTestFailedError,
    FileMissingError,
    LabelsError,
    NaiveTimesError,
    SchemaError,
    UnreadableFileError,
)
from tests.features.test_snapshots import CARRIER

BY_TAIL = {
    "name": "tail",
    "dataset": "flights",
    "entity": ["carrier", "tail"],
    "features": [{"name": "k", "function": "count", "window": "7d"}],
}
LABELS = '''carrier,at,note,tail
UA,2013-01-05T00:00:00Z,"a, ""b""",N1
ZZ,2013-01-05T00:00:00+01:00,NA,N1
UA,2013-01-02T12:00:00Z,,
UA,2013-01-02T11:59:59Z,,N1
'''


@pytest.fixture
def views(flights):
    apply_feature_view(CARRIER, actor="test")
    apply_feature_view(BY_TAIL, actor="test")


def test_every_label_keeps_its_row_its_order_and_its_columns(views, write, tmp_path):
    made = label_history(["carrier", "tail"], labels=write("l.csv", LABELS), out=tmp_path / "o.csv")
    assert made.rows == 4
    assert made.columns == ["carrier", "at", "note", "tail", "n_7d", "late_7d", "last_delay", "k"]
    assert (tmp_path / "o.csv").read_text().splitlines() == [
        "carrier,at,note,tail,n_7d,late_7d,last_delay,k",
        'UA,2013-01-05T00:00:00Z,"a, ""b""",N1,4,0.6666666666666666,,2',
        "ZZ,2013-01-05T00:00:00+01:00,NA,N1,0,,,0",
        "UA,2013-01-02T12:00:00Z,,,3,0.6666666666666666,40,0",
        # One second earlier the flight of 11:30 was not yet known.
        "UA,2013-01-02T11:59:59Z,,N1,2,0.5,,1",
    ]


def test_parquet_and_json_lines_give_the_same_values(views, write, tmp_path):
    times = [datetime(2013, 1, 5, tzinfo=UTC), datetime(2013, 1, 2, 12, tzinfo=UTC)]
    table = pa.table({"timestamp": times, "carrier": pa.array(["UA", None]).dictionary_encode(), "x": [[1], [2]]})
    pq.write_table(table, tmp_path / "l.parquet")
    label_history(["carrier"], labels=tmp_path / "l.parquet", out=tmp_path / "o.parquet")
    found = pq.read_table(tmp_path / "o.parquet")
    assert found.select(table.column_names).equals(table)
    assert found.select(["n_7d", "late_7d"]).to_pylist() == [
        {"n_7d": 4, "late_7d": 2 / 3},
        {"n_7d": 0, "late_7d": None},
    ]
    lines = '{"carrier": "UA", "at": "2013-01-05T00:00:00Z", "x": {"deep": [1, 2.5]}}\n\n'
    lines += '{"at": "2013-01-02T12:00:00Z"}\n'
    label_history(["carrier"], labels=write("l.jsonl", lines), out=tmp_path / "o.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "o.jsonl").read_text().splitlines()]
    assert rows[0] == {
        "carrier": "UA", "at": "2013-01-05T00:00:00Z", "x": {"deep": [1, 2.5]}, "n_7d": 4, "late_7d": 2 / 3,
        "last_delay": None,
    }  # fmt: skip
    assert (rows[1]["carrier"], rows[1]["n_7d"]) == (None, 0)


def test_values_do_not_depend_on_the_parts_a_file_is_read_in(views, write, tmp_path, monkeypatch):
    body = LABELS.splitlines()
    path = write("l.csv", "\n".join([body[0], *body[1:] * 5]))
    label_history(["carrier"], labels=path, out=tmp_path / "whole.csv")
    monkeypatch.setattr(label_files, "PART_ROWS", 3)
    monkeypatch.setattr(label_files, "BLOCK_BYTES", 120)
    parts = list(label_files.label_parts(path))
    assert len(parts) > 1
    label_history(["carrier"], labels=path, out=tmp_path / "parts.csv")
    assert (tmp_path / "whole.csv").read_bytes() == (tmp_path / "parts.csv").read_bytes()


def test_values_that_fail_a_test_of_their_view_are_not_written(views, write, tmp_path, monkeypatch):
    monkeypatch.setattr(label_files, "PART_ROWS", 3)
    monkeypatch.setattr(label_files, "BLOCK_BYTES", 120)
    labels, out = write("l.csv", LABELS), tmp_path / "o.csv"
    out.write_text("old")
    # One of four labels has no late_7d: the share is one of all parts.
    assert len(list(label_files.label_parts(labels))) > 1
    apply_feature_view({**CARRIER, "tests": [{"feature": "late_7d", "max_missing": 0.2}]}, actor="test")
    with pytest.raises(FeatureTestFailedError, match="1 of 4 values of late_7d are missing"):
        label_history(["carrier"], labels=labels, out=out)
    assert out.read_text() == "old"
    apply_feature_view({**CARRIER, "tests": [{"feature": "late_7d", "max_missing": 0.25}]}, actor="test")
    assert label_history(["carrier"], labels=labels, out=out).rows == 4
    apply_feature_view({**CARRIER, "tests": [{"feature": "n_7d", "min": 1}]}, actor="test")
    with pytest.raises(FeatureTestFailedError, match="the least n_7d is 0"):
        label_history(["carrier"], labels=labels, out=out)


def test_whole_number_keys_are_found_whatever_the_file_writes_them_as(transactional_db, var_dir, write, tmp_path):
    big = 2**53 + 1
    events = f"at,id\n2013-01-01T00:00:00Z,{big}\n2013-01-01T01:00:00Z,{big}\n2013-01-01T02:00:00Z,7\n"
    ingest("d", [write("d.csv", events)], actor="test", roles=ColumnRoles(timestamp="at", entity=("id",)))
    count = [{"name": "n", "function": "count", "window": "7d"}]
    apply_feature_view({"name": "v", "dataset": "d", "entity": "id", "features": count}, actor="test")
    asked = f"{big},2013-01-02T00:00:00Z\nNA,2013-01-02T00:00:00Z\n7,2013-01-01T02:00:00Z\n"
    labels = write("l.csv", f"id,timestamp\n{asked}")
    label_history(["v"], labels=labels, out=tmp_path / "o.csv")
    assert [line.split(",")[-1] for line in (tmp_path / "o.csv").read_text().splitlines()] == ["n", "2", "0", "0"]
    with pytest.raises(LabelsError, match="row 1 of the labels has id 'x', which is no integer"):
        label_history(["v"], labels=write("l.csv", "id,timestamp\nx,2013-01-02T00:00:00Z\n"), out=tmp_path / "o.csv")


def test_a_zone_makes_moments_of_naive_times(views, write, tmp_path):
    labels = write("l.csv", "carrier,when\nUA,2013-01-02T07:00:00\nUA,2013-01-02\n")
    with pytest.raises(NaiveTimesError, match=r"row 1 of the labels has when .* names no zone; .*--timezone"):
        label_history(["carrier"], labels=labels, out=tmp_path / "o.csv", timestamp="when")
    label_history(["carrier"], labels=labels, out=tmp_path / "o.csv", timestamp="when", timezone="America/New_York")
    # 07:00 in New York is 12:00 UTC; midnight is 05:00.
    assert [line.split(",")[2] for line in (tmp_path / "o.csv").read_text().splitlines()[1:]] == ["3", "2"]


@pytest.mark.parametrize("text", ["2013-11-03T01:30:00", "2013-03-10T02:30:00"])
@pytest.mark.parametrize("typed", [True, False])
def test_a_time_that_clocks_showed_twice_or_never_is_refused(views, write, tmp_path, text, typed):
    labels = write("l.csv", f"carrier,at\nUA,2013-01-02T07:00:00\nUA,{text}\n")
    if typed:
        labels = tmp_path / "l.parquet"
        times = [datetime(2013, 1, 2, 7), datetime.fromisoformat(text)]
        pq.write_table(pa.table({"carrier": ["UA", "UA"], "at": times}), labels)
    with pytest.raises(NaiveTimesError, match=r"row 2 of the labels has at .* (showed twice|never showed); give"):
        label_history(["carrier"], labels=labels, out=tmp_path / "o.csv", timezone="America/New_York")
    assert not list(tmp_path.glob("*o.csv*"))


@pytest.mark.parametrize(
    ("name", "body", "kind", "text"),
    [
        ("l.csv", "carrier,when\nUA,2013-01-02T00:00:00Z\n", LabelsError, "no time column 'at'; name one with"),
        ("l.csv", "at\n2013-01-02T00:00:00Z\n", LabelsError, "no entity column 'carrier'"),
        ("l.csv", "carrier,at\nUA,\n", LabelsError, "row 1 of the labels has at '', which is no ISO 8601 time"),
        ("l.csv", "carrier,at\nUA,soon\n", LabelsError, "row 1 of the labels has at 'soon', which is no ISO"),
        ("l.csv", "carrier,at,n_7d\nUA,2013-01-02T00:00:00Z,1\n", SchemaError, r"repeated: \['n_7d'\]"),
        ("l.csv", "carrier,at\nUA,2013-01-02T00:00:00Z,9\n", UnreadableFileError, "can't be read as csv"),
        ("l.csv", b"carrier,at\n\xff,2013-01-02T00:00:00Z\n", UnreadableFileError, "can't be read as csv"),
        ("l.csv", "", EmptyFileError, "is empty"),
        ("l.csv", "carrier,at\n", EmptyFileError, "holds no label"),
        ("l.jsonl", '{"carrier": "UA"}\n[1]\n', UnreadableFileError, "line 2 of l.jsonl is not an object"),
        ("l.jsonl", "{", UnreadableFileError, "line 1 of l.jsonl is not JSON"),
        ("l.jsonl", '{"a": 1}\n{"a": "x"}\n', UnreadableFileError, "can't be read as jsonl"),
        ("l.jsonl", '{"carrier": "UA", "at": 5}\n', LabelsError, "column 'at' is to hold the labels' times; it holds"),
        ("l.parquet", "no", UnreadableFileError, "can't be read as parquet"),
        ("l.xls", "no", UnreadableFileError, "ends in none of .csv"),
    ],
)
def test_labels_that_can_not_be_used_are_refused_and_nothing_is_written(views, write, tmp_path, name, body, kind, text):
    out = tmp_path / "o.csv"
    out.write_text("old")
    with pytest.raises(kind, match=text):
        label_history(["carrier"], labels=write(name, body), out=out)
    assert out.read_text() == "old"
    assert not list(tmp_path.glob(".o.csv*"))


def test_a_missing_file_a_view_none_and_a_wrong_ending_are_refused(views, write, tmp_path):
    labels = write("l.csv", LABELS)
    with pytest.raises(FileMissingError, match="no such file"):
        label_history(["carrier"], labels=tmp_path / "none.csv", out=tmp_path / "o.csv")
    with pytest.raises(UnreadableFileError, match="ends in none of"):
        label_history(["carrier"], labels=labels, out=tmp_path / "o.txt")
    with pytest.raises(LabelsError, match="name at least one"):
        label_history([], labels=labels, out=tmp_path / "o.csv")
    naive = write("n.csv", "carrier,at\nUA,2013-01-02\n")
    with pytest.raises(SchemaError, match=r"a time zone is named as in the IANA database.*got 'Mars'"):
        label_history(["carrier"], labels=naive, out=tmp_path / "o.csv", timezone="Mars")


def test_what_a_format_can_not_hold_is_said(views, tmp_path, write, monkeypatch):
    table = pa.table({"carrier": ["UA"], "at": [datetime(2013, 1, 2, tzinfo=UTC)], "x": [[1]]})
    pq.write_table(table, tmp_path / "l.parquet")
    with pytest.raises(UnreadableFileError, match=r"'x' holds list.*, which CSV has no form for"):
        label_history(["carrier"], labels=tmp_path / "l.parquet", out=tmp_path / "o.csv")
    monkeypatch.setattr(label_files, "LINES", 1)
    later = '{"carrier": "UA", "at": "2013-01-05T00:00:00Z"}\n{"carrier": "UA", "at": "2013-01-05T00:00:00Z", "y": 1}\n'
    with pytest.raises(ColumnsError, match=r"fields that its first 1 lines lack: \['y'\]"):
        label_history(["carrier"], labels=write("l.jsonl", later), out=tmp_path / "o.jsonl")


def test_the_zone_of_the_dataset_is_the_labels(views, write, tmp_path, monkeypatch):
    view = action.FeatureView.objects.resolve("carrier")
    type(view.dataset).objects.filter(pk=view.dataset_id).update(timezone="America/New_York")
    label_history(["carrier"], labels=write("l.csv", "carrier,at\nUA,2013-01-02T07:00:00\n"), out=tmp_path / "o.csv")
    assert (tmp_path / "o.csv").read_text().splitlines()[1] == "UA,2013-01-02T07:00:00,3,0.6666666666666666,40"
