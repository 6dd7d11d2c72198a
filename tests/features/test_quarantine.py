"""Refused rows: read in pages, written for spreadsheets, taken in mended once."""

import csv
import json
import threading

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from features.actions.edit_contract import edit_contract
from features.actions.fix_quarantined import fix_quarantined
from features.actions.ingest import ingest
from features.adapters.delta import read_quarantine, read_table
from features.adapters.mended_files import write_quarantined
from features.adapters.quarantine import all_quarantined, open_quarantine, read_quarantined
from features.core.safe_cells import STARTS, plain_cell, safe_cell
from features.errors import (
    DatasetChangedError,
    EmptyFileError,
    FileMissingError,
    HeaderError,
    NothingFixedError,
    UnreadableFileError,
)
from features.ground.errors import DomainError
from features.models import Dataset, DatasetVersion, QuarantineFix

SCHEMA = [
    {"name": "x", "dtype": "integer", "min": 0, "nullable": False},
    {"name": "s", "dtype": "string", "allowed": ["a", "b", "=1+1"]},
]
database = pytest.mark.django_db(transaction=True)
PAYLOADS = ["=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "=cmd|' /C calc'!A0", "-2+3+cmd|'x'!A0", "'=1", "\n=1"]


@pytest.fixture
def made(transactional_db, var_dir, write):
    ingest("d", [write("1.csv", "x,s\n1,a\n-1,c\nmany,a\n,b\n")], actor="test", schema=SCHEMA, max_rejected=1)
    ingest("d", [write("2.csv", "x,s\n2,b\n-7,a\n5\n")], actor="test", max_rejected=1)
    return Dataset.objects.get()


def stored(number=None):
    version = DatasetVersion.objects.resolve(f"d@{number}" if number else "d")
    return sorted(read_table("d", version.delta_version)["x"].to_pylist())


def exported(dataset, path):
    write_quarantined(path, all_quarantined(dataset), ["x", "s"])
    return path


def test_refused_rows_are_read_in_pages(made):
    page = read_quarantined(made, limit=3)
    assert page.total == 5
    assert [(row.version, row.row, row.values) for row in page.rows] == [
        (1, 2, {"x": "-1", "s": "c"}),
        (1, 3, {"x": "many", "s": "a"}),
        (1, 4, {"x": None, "s": "b"}),
    ]
    assert page.rows[0].reasons == [
        {"column": "x", "rule": "below_minimum", "value": "-1"},
        {"column": "s", "rule": "not_allowed", "value": "c"},
    ]
    rest = read_quarantined(made, offset=3, limit=3).rows
    assert [(row.version, row.row, row.values, row.text) for row in rest] == [
        (2, 2, {"x": "-7", "s": "a"}, ""),
        (2, 3, None, "5"),
    ]


def test_refused_rows_are_found_by_version_and_reason(made):
    assert [row.row for row in read_quarantined(made, version=2).rows] == [2, 3]
    found = read_quarantined(made, reason="below_minimum")
    assert (found.total, [(row.version, row.row) for row in found.rows]) == (2, [(1, 2), (2, 2)])
    assert read_quarantined(made, reason="' or 1=1").total == 0
    assert read_quarantined(made, version=9).total == 0


def test_a_dataset_without_faults_has_an_empty_quarantine(transactional_db, var_dir, write):
    ingest("d", [write("1.csv", "x,s\n1,a\n")], actor="test", schema=SCHEMA)
    assert read_quarantined(Dataset.objects.get()).rows == list(all_quarantined(Dataset.objects.get())) == []
    assert open_quarantine(Dataset.objects.get()) == 0


def test_values_about_persons_are_hidden_unless_asked_for(made):
    edit_contract("d", changes={"x.pii": True}, actor="test")
    dataset = Dataset.objects.get()
    rows = read_quarantined(dataset).rows
    assert rows[0].values == {"x": "(hidden)", "s": "c"}
    assert rows[0].reasons[0]["value"] == "(hidden)"
    assert rows[2].values == {"x": None, "s": "b"}
    assert rows[4].text == "(hidden)"
    assert read_quarantined(dataset, reveal=True).rows[0].values == {"x": "-1", "s": "c"}


@pytest.mark.parametrize("name", ["q.csv", "q.jsonl"])
def test_a_mended_row_counts_once_and_the_others_stay(made, tmp_path, name):
    path = exported(made, tmp_path / name)
    path.write_text(path.read_text().replace("many", "3").replace('"-7"', '"7"').replace("-7,", "7,"))
    done = fix_quarantined("d", path, actor="user:ann")
    assert (done.version, done.rows_read, done.rows_fixed, done.rows_refused, done.created) == (3, 5, 2, 3, True)
    assert stored() == [1, 2, 3, 7]
    fixes = QuarantineFix.objects.order_by("rejected_in__number")
    assert [(fix.rejected_in.number, fix.row, fix.fixed_in.number) for fix in fixes] == [(1, 3, 3), (2, 2, 3)]
    version = DatasetVersion.objects.get(number=3)
    assert (version.rows_valid, version.rows_rejected, version.rows_total, version.actor) == (2, 0, 4, "user:ann")
    assert open_quarantine(made) == read_quarantined(made).total == 3
    everything = read_quarantined(made, include_fixed=True).rows
    assert [(row.version, row.row, row.fixed_in) for row in everything][1] == (1, 3, 3)
    assert len(everything) == 5
    # The same file again is the same version; another with the same rows finds them fixed.
    assert not fix_quarantined("d", path, actor="test").created
    path.write_text(path.read_text() + "\n")
    with pytest.raises(NothingFixedError, match=r"already_fixed \(2\)"):
        fix_quarantined("d", path, actor="test")
    assert stored() == [1, 2, 3, 7]


def test_a_fix_is_tried_without_writing(made, tmp_path):
    path = exported(made, tmp_path / "q.csv")
    path.write_text(path.read_text().replace("many", "3"))
    tried = fix_quarantined("d", path, actor="test", dry_run=True)
    assert (tried.version, tried.rows_fixed, tried.created) == (3, 1, False)
    assert not QuarantineFix.objects.exists()
    assert stored() == [1, 2]


def test_rows_that_stand_for_none_are_refused(made, tmp_path):
    path = tmp_path / "q.csv"
    lines = [
        "x,s,__version,__row",
        "5,a,1,2",
        "6,a,1,2",
        "7,a,1,1",
        "8,a,9,2",
        "9,a,,",
        "9,a,x,y",
        "9,a,-1,99999999999999999999",
    ]
    path.write_text("\n".join([*lines, "1,2,3"]))
    done = fix_quarantined("d", path, actor="test")
    assert (done.rows_fixed, done.reasons) == (1, {"row_comes_twice": 1, "not_in_quarantine": 6})
    assert stored() == [1, 2, 5]


@pytest.mark.parametrize(
    ("name", "body", "error", "text"),
    [
        ("q.csv", "x,s\n1,a\n", HeaderError, "missing: ['__version', '__row']"),
        ("q.csv", "x,s,z,__version,__row\n1,a,2,1,2\n", HeaderError, "unknown: ['z']"),
        ("q.csv", "x,x,s,__version,__row\n1,1,a,1,2\n", HeaderError, "each once"),
        ("q.csv", "x,s,__version,__row\n", EmptyFileError, "holds no row"),
        ("q.jsonl", '{"x": 1}\n', HeaderError, "missing: ['__version', '__row']"),
        ("q.jsonl", "", EmptyFileError, "holds no row"),
        ("q.parquet", "x", UnreadableFileError, "written to and read from .csv and .jsonl; got q.parquet"),
        ("q.csv", b"x,s,__version,__row\n\xff,a,1,2\n", UnreadableFileError, "can't be read"),
        ("q.jsonl", "nonsense\n[1]\n", NothingFixedError, "not_in_quarantine (2)"),
    ],
)
def test_a_file_that_is_no_mended_export_is_refused(made, write, name, body, error, text):
    with pytest.raises(error) as refused:
        fix_quarantined("d", write(name, body), actor="test")
    assert text in refused.value.message


def test_a_file_that_is_not_there_is_named(made, tmp_path):
    with pytest.raises(FileMissingError, match="no such file"):
        fix_quarantined("d", tmp_path / "none.csv", actor="test")


def test_two_who_mend_the_same_row_take_it_once(made, tmp_path):
    paths = [exported(made, tmp_path / f"{number}.csv") for number in range(4)]
    for number, path in enumerate(paths):
        path.write_text(path.read_text().replace("many", f"{number + 3}"))
    gate, answers = threading.Barrier(len(paths)), []

    def run(path):
        try:
            gate.wait()
            answers.append(fix_quarantined("d", path, actor="test").rows_fixed)
        except DomainError as error:
            answers.append(error.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(path,)) for path in paths]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers.count(1) == 1
    assert set(answers) <= {1, "dataset_changed", "nothing_fixed"}
    assert QuarantineFix.objects.count() == 1
    assert DatasetVersion.objects.count() == 3
    assert len(stored()) == 3


def test_a_fix_that_lost_the_race_leaves_no_row(made, tmp_path, monkeypatch):
    from features.actions import fix_quarantined as fixing

    first, second = exported(made, tmp_path / "1.csv"), exported(made, tmp_path / "2.csv")
    first.write_text(first.read_text().replace("many", "3"))
    second.write_text(second.read_text().replace("many", "4"))
    looking = fixing.beside_rows

    def while_looking(*arguments, **options):
        monkeypatch.setattr(fixing, "beside_rows", looking)
        fix_quarantined("d", second, actor="other")
        return looking(*arguments, **options)

    monkeypatch.setattr(fixing, "beside_rows", while_looking)
    with pytest.raises(DatasetChangedError, match="somebody else fixed rows"):
        fix_quarantined("d", first, actor="test")
    assert stored() == [1, 2, 4]
    assert QuarantineFix.objects.count() == 1


def test_no_cell_of_an_export_starts_a_formula(transactional_db, var_dir, tmp_path):
    lines = [json.dumps({"=x": "no", "s": payload}) for payload in PAYLOADS]
    source = tmp_path / "1.jsonl"
    source.write_text("\n".join(['{"=x": 1, "s": "a"}', *lines]))
    schema = [{"name": "=x", "dtype": "integer"}, {"name": "s", "dtype": "string"}]
    ingest("d", [source], actor="test", schema=schema, max_rejected=1)
    path = tmp_path / "q.csv"
    write_quarantined(path, all_quarantined(Dataset.objects.get()), ["=x", "s"])
    with path.open(newline="") as file:
        cells = list(csv.reader(file))
    assert [cell for row in cells for cell in row if cell.startswith(STARTS)] == []
    assert path.stat().st_mode & 0o077 == 0
    path.write_bytes(path.read_bytes().replace(b"no,", b"7,"))
    assert fix_quarantined("d", path, actor="test").rows_fixed == len(PAYLOADS)
    version = DatasetVersion.objects.resolve("d")
    assert sorted(read_table("d", version.delta_version)["s"].to_pylist()) == sorted(["a", *PAYLOADS])


@given(st.text())
def test_a_safe_cell_is_no_formula_and_reads_as_it_was(text):
    safe = safe_cell(text)
    assert plain_cell(safe) == text
    assert not safe.startswith(("=", "@", "\t", "\r", "\n"))


def test_numbers_stay_as_they_are():
    assert [safe_cell(text) for text in ("-5", "+1.5e3", "-.5", "-5+1")] == ["-5", "+1.5e3", "-.5", "'-5+1"]


def test_typed_rows_are_mended_as_what_they_are(transactional_db, var_dir, tmp_path):
    source = tmp_path / "1.jsonl"
    source.write_text('{"x": 1.0, "b": true, "t": "2013-01-01T00:00:00Z"}\n{"x": -2.0, "b": false, "t": "never"}\n')
    schema = [
        {"name": "x", "dtype": "integer", "min": 0},
        {"name": "b", "dtype": "boolean"},
        {"name": "t", "dtype": "timestamp"},
    ]
    made = ingest("d", [source], actor="test", schema=schema, max_rejected=1)
    assert len(read_quarantine("d", made.fingerprint)) == 1
    path = tmp_path / "q.jsonl"
    write_quarantined(path, all_quarantined(Dataset.objects.get()), ["x", "b", "t"])
    path.write_text(path.read_text().replace("-2.0", "2.0").replace('"never"', '"2013-01-02T00:00:00Z"', 1))
    assert fix_quarantined("d", path, actor="test").rows_fixed == 1
    assert stored() == [1, 2]
