"""Contracts, profiles and the quarantine from the shell."""

import pytest
import yaml
from django.core.management import CommandError

from features.errors import ContractApprovedError, ContractEditError, SchemaError, UnknownDatasetVersionError
from features.models import ContractVersion, Dataset
from tests.features.test_commands import run

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def made(var_dir, write):
    run("ingest", "d", write("d.csv", "x,s\n1,a\n2,b\n-3,c\n"), "--actor", "user:ann")


def test_a_contract_is_edited_by_paths(made):
    told = run(
        "schema", "d", "--set", "x.min=0", "--set", "s.pattern=[a-z]", "--set", "s.allowed=[a, b]", "--reason", "r"
    )
    assert (told["number"], told["state"], told["reason"]) == (2, "approved", "r")
    assert [change["path"] for change in told["changes"]] == ["x.min", "s.allowed", "s.pattern"]
    assert run("schema", "d", "--set", "s.allowed=", "--expect", "2")["changes"][0]["after"] is None
    shown = run("schema", "d")
    assert (shown["contract"], shown["state"], shown["columns"][0]["min"]) == (3, "approved", 0)
    text = run("schema", "d", as_json=False)
    assert text.startswith("# contract 3, approved\ncolumns:\n- name: x\n")
    assert yaml.safe_load(text)["columns"][1]["pattern"] == "[a-z]"


def test_a_preview_tells_what_would_change_and_writes_nothing(made):
    told = run("schema", "d", "--set", "x.min=0", "--set", "rules.row_count.min=2", "--dry-run")
    assert (told["contract"], told["breaking"]) == (1, {"x.min": 1})
    lines = run("schema", "d", "--set", "x.min=0", "--set", "on_fault=fail", "--dry-run", as_json=False).splitlines()
    assert lines == ["x.min: – → 0  (stored rows that don't meet it: 1)", "on_fault: – → fail"]
    assert run("schema", "d", "--set", "x.min=", "--dry-run", as_json=False) == "nothing would change\n"
    assert ContractVersion.objects.count() == 1


def test_a_contract_travels_as_a_file(made, tmp_path, write):
    run("schema", "d", "--set", "rules.row_count=2", "--set", "x.unique=true", "--set", "max_rejected=0.02")
    path = tmp_path / "d.yaml"
    assert run("schema", "d", "--export", path)["columns"] == 2
    assert yaml.safe_load(path.read_text())["rules"] == {"row_count": {"on_break": "fail", "min": 2}}
    path.write_text(path.read_text().replace("min: 2", "min: 3").replace("unique: true", "unique: false"))
    assert [one["path"] for one in run("schema", "d", "--import", path, "--dry-run")["changes"]] == [
        "x.unique", "rules.row_count",
    ]  # fmt: skip
    assert run("schema", "d", "--import", path)["number"] == 3
    run("ingest", "e", write("e.csv", "x,s\n1,a\n2,b\n3,b\n"), "--schema", path)
    assert Dataset.objects.get(name="e").rules == Dataset.objects.get(name="d").rules
    assert ContractVersion.objects.get(dataset__name="e").state == "approved"


def test_approval_and_history_are_told(made):
    assert run("schema", "d", "--approve", "--reason", "looked at it", "--expect", "1")["state"] == "approved"
    with pytest.raises(ContractApprovedError):
        run("schema", "d", "--approve", "--reason", "again")
    run("schema", "d", "--set", "x.max=9", "--reason", "no more", "--actor", "user:bob")
    assert [one["number"] for one in run("schema", "d", "--history")["history"]] == [2, 1]
    lines = run("schema", "d", "--history", as_json=False).splitlines()
    assert lines[:2] == ["contract 2 by user:bob, approved, approved by user:bob: no more", "  x.max: – → 9"]
    assert run("schema", "d", "--report")["report"]["columns"][0]["dtype"] == "integer"
    assert "why: 3 of 3 values are of dtype integer" in run("schema", "d", "--report", as_json=False)


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        (("--set", "x.min"), SchemaError, "PATH=VALUE"),
        (("--set", "x.min=[1"), SchemaError, "a value is written as in YAML"),
        (("--set", "x.dtype=string"), ContractEditError, "can't become string"),
        (("--approve",), SchemaError, "needs a reason"),
        (("--approve", "--history"), CommandError, "ask for one of --set, --import"),
    ],
)
def test_wrong_input_is_refused(made, arguments, error, text):
    with pytest.raises(error, match=text):
        run("schema", "d", *arguments)


def test_profiles_are_told_with_what_changed(made, write):
    run("ingest", "d", write("e.csv", "x,s\n50,a\n60,z\n"))
    told = run("datasets", "d@2", "--profile")
    assert [one["column"] for one in told["profile"]] == ["x", "s"]
    assert "x: mean 0 → 55" in [change["text"] for change in told["changes"]]
    text = run("datasets", "d", "--profile", as_json=False)
    assert "  x                       integer    0.0% missing, 2 distinct, 50 to 60, mean 55\n" in text
    assert "changed since the version before:\n" in text
    assert "nothing worth telling" in run("datasets", "d@1", "--profile", as_json=False)
    with pytest.raises(CommandError, match="name the dataset"):
        run("datasets", "--profile")


def test_a_dataset_tells_its_contract_and_what_waits_in_quarantine(made, write):
    run("schema", "d", "--set", "x.min=0", "--set", "s.pii=true", "--set", "rules.row_count={max: 1, on_break: warn}")
    run("ingest", "d", write("e.csv", "x,s\n5,a\n6,b\n-1,a\n"), "--max-rejected", "0.5")
    told = run("datasets", "d")
    assert (told["contract"], told["quarantined"]) == ({"number": 2, "state": "approved"}, 1)
    assert told["versions"][1]["warnings"][0]["rule"] == "row_count"
    text = run("datasets", "d", as_json=False)
    assert "d, 2 columns, contract 2, approved; 1 rows wait in quarantine:" in text
    assert "row_count: 2 valid rows, allowed: at most 1" in text
    assert "required, pii" in text


def test_the_quarantine_is_shown_written_and_mended(made, write, tmp_path):
    run("schema", "d", "--set", "x.min=0")
    run("ingest", "d", write("e.csv", "x,s\n5,a\n-1,b\nmany,c\n"), "--max-rejected", "1")
    assert run("quarantine", "d")["total"] == 2
    assert run("quarantine", "d@2", "--reason", "not_integer")["rows"][0]["values"] == {"x": "many", "s": "c"}
    assert run("quarantine", "d", "--limit", "1", "--offset", "1", as_json=False).splitlines() == [
        "2 rows of d in quarantine", "@2 row 3: x not_integer many",
    ]  # fmt: skip
    path = tmp_path / "q.csv"
    assert run("quarantine", "d", "--export", path)["rows"] == 2
    path.write_text(path.read_text().replace("many", "7"))
    assert run("quarantine", "d", "--fix", path, "--dry-run")["created"] is False
    assert run("quarantine", "d", "--fix", path)["rows_fixed"] == 1
    assert run("quarantine", "d")["total"] == 1
    with pytest.raises(UnknownDatasetVersionError):
        run("quarantine", "d@9")
    for wrong in (("--export", path, "--fix", path), ("--limit", "-1")):
        with pytest.raises(CommandError):
            run("quarantine", "d", *wrong)
    assert Dataset.objects.get().versions.count() == 3
