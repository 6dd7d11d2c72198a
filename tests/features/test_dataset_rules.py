"""Rules of a dataset as a whole."""

from datetime import UTC, datetime, timedelta

import pytest

from features.actions.ingest import ingest
from features.adapters.delta import read_quarantine
from features.core.dataset_rules import BatchFacts, broken_dataset_rules
from features.errors import DatasetRulesBrokenError, TooManyRejectedError
from features.models import Dataset, DatasetVersion

NOW = datetime(2013, 1, 10, tzinfo=UTC)
COLUMNS = [
    {"name": "at", "dtype": "timestamp", "nullable": False, "role": "timestamp"},
    {"name": "x", "dtype": "number"},
]


def broken(rules, **facts):
    found = broken_dataset_rules(rules, BatchFacts(**{"rows": 10, **facts}), NOW)
    return [(one.rule, one.column, one.observed) for one in found]


@pytest.mark.parametrize("rows", [5, 10, 20])
def test_a_count_within_its_limits_is_fine(rows):
    assert broken({"row_count": {"on_break": "fail", "min": 5, "max": 20}}, rows=rows) == []


@pytest.mark.parametrize("rows", [4, 21])
def test_a_count_outside_is_not(rows):
    rule = {"row_count": {"on_break": "fail", "min": 5, "max": 20}}
    assert broken(rule, rows=rows) == [("row_count", "", f"{rows} valid rows")]


def test_rows_are_fresh_to_the_second():
    rule = {"freshness": {"on_break": "warn", "max_age": "2d"}}
    assert broken(rule, newest=NOW - timedelta(days=2)) == []
    assert broken(rule, newest=NOW - timedelta(days=2, seconds=1))[0][0] == "freshness"
    assert broken(rule, newest=None) == [("freshness", "", "the newest event is of none")]


def test_missing_values_are_a_share_of_each_column():
    rule = {"max_missing": {"on_break": "fail", "columns": {"x": 0.2, "y": 0.0}}}
    assert broken(rule, missing={"x": 2}) == []
    assert broken(rule, missing={"x": 3, "y": 1}) == [
        ("max_missing", "x", "30.00% missing"),
        ("max_missing", "y", "10.00% missing"),
    ]


def test_time_goes_on_within_the_file_and_from_version_to_version():
    rule = {"monotone_time": {"on_break": "fail"}}
    assert broken(rule, oldest=NOW, newest=NOW, newest_before=NOW) == []
    late = broken(rule, in_order=False, oldest=NOW - timedelta(1), newest=NOW, newest_before=NOW)
    assert [one[2] for one in late] == ["rows out of order", "the first event is of 2013-01-09T00:00:00Z"]


def contract(**rules):
    return {"columns": COLUMNS, "rules": rules}


@pytest.mark.django_db(transaction=True)
def test_all_broken_rules_are_named_and_nothing_is_written(var_dir, write):
    schema = contract(row_count=3, freshness="1d", max_missing={"x": 0.1}, monotone_time=True)
    path = write("d.csv", "at,x\n2013-01-02,1\n2013-01-01,\n")
    with pytest.raises(DatasetRulesBrokenError) as refused:
        ingest("d", [path], actor="test", schema=schema, now=NOW)
    assert [one["rule"] for one in refused.value.fields["broken"]] == [
        "row_count", "freshness", "max_missing", "monotone_time",
    ]  # fmt: skip
    assert "row_count: 2 valid rows, allowed: at least 3" in refused.value.message
    assert not Dataset.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_rules_that_warn_let_the_rows_in_and_are_kept(var_dir, write):
    schema = contract(row_count={"max": 1, "on_break": "warn"}, freshness={"max_age": "30d", "on_break": "fail"})
    made = ingest("d", [write("d.csv", "at,x\n2013-01-02,1\n2013-01-03,2\n")], actor="test", schema=schema, now=NOW)
    assert [one["rule"] for one in made.warnings] == ["row_count"]
    assert DatasetVersion.objects.get().warnings == made.warnings
    preview = ingest("d", [write("e.csv", "at,x\n2013-01-04,1\n2013-01-05,2\n")], actor="test", now=NOW, dry_run=True)
    assert [one["observed"] for one in preview.warnings] == ["2 valid rows"]


@pytest.mark.django_db(transaction=True)
def test_time_is_compared_with_the_newest_event_there_is(var_dir, write):
    ingest("d", [write("1.csv", "at,x\n2013-01-02,1\n")], actor="test", schema=contract(monotone_time="warn"))
    assert ingest("d", [write("2.csv", "at,x\n2013-01-01,1\n")], actor="test").warnings
    again = ingest("d", [write("3.csv", "at,x\n2013-01-01T12:00:00Z,1\n")], actor="test")
    assert again.warnings[0]["allowed"].startswith("from 2013-01-02T00:00:00Z on")
    assert not ingest("d", [write("4.csv", "at,x\n2013-01-02,1\n")], actor="test").warnings


@pytest.mark.django_db(transaction=True)
def test_a_contract_may_let_any_fault_fail(var_dir, write):
    schema = {"columns": COLUMNS, "on_fault": "fail"}
    path = write("d.csv", "at,x\n" + "2013-01-02,1\n" * 50 + "2013-01-02,many\n")
    with pytest.raises(TooManyRejectedError) as refused:
        ingest("d", [path], actor="test", schema=schema, max_rejected=0.5)
    assert "the contract says on_fault: fail; nothing was written. Most frequent: x not_number (1)" in str(
        refused.value
    )
    assert read_quarantine("d", "") == []
    assert ingest("d", [write("e.csv", "at,x\n2013-01-02,1\n")], actor="test", schema=schema).created
