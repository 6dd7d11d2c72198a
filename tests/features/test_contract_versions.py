"""Contracts through time: proposed, approved, edited, raced, and what each edit leaves behind."""

import threading

import pytest
from django.conf import settings
from django.db import connection

from features.actions.approve_contract import approve_contract
from features.actions.edit_contract import edit_contract, preview_edit, preview_replacement, replace_contract
from features.actions.ingest import ingest
from features.adapters.profiles import stored_profile
from features.core.schema import ColumnRoles
from features.errors import (
    ContractApprovedError,
    ContractChangedError,
    ContractEditError,
    ContractNotApprovedError,
    DatasetChangedError,
    SchemaError,
)
from features.ground.errors import DomainError
from features.models import ColumnProfile, ContractVersion, Dataset, DatasetVersion
from models_store.actions.verify_audit import verify_audit
from models_store.models import AuditEntry

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("var_dir")]
ROWS = "at,who,email,n\n2013-01-01T10:00:00Z,ann,a@x.org,5\n2013-01-02T10:00:00Z,bob,,-1\n2013-01-03T10:00:00Z,ann,,7\n"


@pytest.fixture
def made(write):
    return ingest("d", [write("d.csv", ROWS)], actor="user:ann", roles=ColumnRoles(timestamp="at"))


def test_the_first_contract_is_proposed_with_what_was_seen(made):
    version = ContractVersion.objects.get()
    assert (version.number, version.state, version.actor, version.approved_by) == (1, "proposed", "user:ann", "")
    assert version.columns == Dataset.objects.get().schema
    told = {column["name"]: column for column in version.report["columns"]}
    assert version.report["rows"] == 3
    assert told["n"]["fits"]["integer"] == 3
    assert told["n"]["why"] == "3 of 3 values are of dtype integer"
    assert (told["who"]["distinct"], told["who"]["examples"]) == (2, ["ann", "bob"])
    assert told["who"]["why"] == "none of 3 values is of another dtype"
    # It may be about persons, so nobody sees a value of it before somebody has looked.
    assert (told["email"]["looks_personal"], told["email"]["examples"], told["email"]["missing"]) == (True, [], 2)
    assert DatasetVersion.objects.get().contract_number == 1


def test_a_given_contract_is_approved_by_its_giver(write):
    ingest("d", [write("d.csv", "x\n1\n")], actor="user:ann", schema=[{"name": "x", "dtype": "integer"}])
    version = ContractVersion.objects.get()
    assert (version.state, version.approved_by, version.report) == ("approved", "user:ann", {})


def test_approval_is_kept_and_audited_once(made):
    version = approve_contract("d", reason="looked at it", actor="user:bob")
    assert (version.state, version.approved_by) == ("approved", "user:bob")
    entry = AuditEntry.objects.get(action="approve_contract")
    assert (entry.action, entry.object_id, entry.actor, entry.reason) == (
        "approve_contract", "d", "user:bob", "looked at it",
    )  # fmt: skip
    with pytest.raises(ContractApprovedError, match="was approved by user:bob"):
        approve_contract("d", reason="again", actor="user:bob")
    assert AuditEntry.objects.filter(action="approve_contract").count() == 1
    refused = AuditEntry.objects.latest("id")
    assert (refused.action, refused.object_id, refused.reason) == ("approve_contract_refused", "d", "again")


def test_approval_needs_a_reason_and_the_contract_that_was_looked_at(made):
    with pytest.raises(SchemaError, match="needs a reason"):
        approve_contract("d", reason=" ", actor="user:bob")
    with pytest.raises(ContractChangedError, match="contract 1 of 'd' is in force by now, not 2"):
        approve_contract("d", number=2, reason="x", actor="user:bob")


def test_rows_wait_for_approval_where_the_installation_says_so(made, write, monkeypatch):
    strict = settings.CONFIG.features.model_copy(update={"require_approval": True})
    monkeypatch.setattr(settings, "CONFIG", settings.CONFIG.model_copy(update={"features": strict}))
    more = write("e.csv", "at,who,email,n\n2013-01-04T10:00:00Z,ann,,5\n")
    with pytest.raises(ContractNotApprovedError, match="contract 1 of 'd' waits for approval"):
        ingest("d", [more], actor="test")
    approve_contract("d", reason="fine", actor="user:bob")
    assert ingest("d", [more], actor="test").created


def test_a_dataset_may_say_otherwise_than_the_installation(made, write):
    Dataset.objects.update(quality_policy={"require_approval": True})
    more = write("e.csv", "at,who,email,n\n2013-01-04T10:00:00Z,ann,,5\n")
    with pytest.raises(ContractNotApprovedError):
        ingest("d", [more], actor="test")
    # Who edits a contract has looked at it.
    edit_contract("d", changes={"n.max": 100}, actor="user:bob")
    assert ingest("d", [more], actor="test").created


def test_an_edit_is_a_version_in_force_from_then_on(made, write):
    version = edit_contract("d", changes={"n.min": 0, "who.role": "entity"}, reason="no debts", actor="user:bob")
    dataset = Dataset.objects.get()
    assert (version.number, version.state, version.approved_by, version.reason) == (
        2,
        "approved",
        "user:bob",
        "no debts",
    )
    assert version.changes == [
        {"path": "who.role", "before": "feature", "after": "entity"},
        {"path": "n.min", "before": None, "after": 0},
    ]
    assert (dataset.contract_number, dataset.entity_columns, dataset.columns()[3].min) == (2, ["who"], 0)
    entry = AuditEntry.objects.get(action="edit_contract")
    assert entry.before == {"contract": 1, "who.role": "feature", "n.min": None}
    assert entry.after == {"contract": 2, "who.role": "entity", "n.min": 0}
    assert verify_audit().ok
    more = ingest("d", [write("e.csv", ROWS.replace("7", "8"))], actor="test", max_rejected=0.5)
    assert (more.reasons, DatasetVersion.objects.get(number=2).contract_number) == ({"below_minimum": 1}, 2)
    assert ContractVersion.objects.get(number=1).columns[3]["min"] is None


def test_an_edit_that_changes_nothing_is_refused(made):
    with pytest.raises(ContractEditError, match="says all of that already"):
        edit_contract("d", changes={"n.min": None}, actor="test")
    assert ContractVersion.objects.count() == 1


def test_a_column_with_rows_keeps_its_dtype(made):
    with pytest.raises(ContractEditError, match="column 'n' has rows of dtype integer, which can't become string"):
        edit_contract("d", changes={"n.dtype": "string"}, actor="test")
    assert AuditEntry.objects.latest("id").action == "edit_contract_refused"


def test_other_columns_are_another_dataset(made):
    columns = Dataset.objects.get().schema
    for other in (columns[:-1], [*columns, {"name": "z", "dtype": "number"}]):
        with pytest.raises(ContractEditError, match="others are another dataset"):
            replace_contract("d", contract={"columns": other}, actor="test")


def test_the_time_that_views_are_computed_by_stays(flights):
    from features.actions.apply_feature_view import apply_feature_view
    from tests.features.test_snapshots import CARRIER

    apply_feature_view({**CARRIER, "dataset": "flights"}, actor="test")
    with pytest.raises(ContractEditError, match="feature views are computed by the times of 'at'"):
        edit_contract("flights", changes={"at.role": "ignore"}, actor="test")


def test_a_whole_contract_takes_the_place_of_another(made):
    columns = Dataset.objects.get().schema
    columns[3] = {"name": "n", "dtype": "integer", "nullable": False, "max": 10}
    preview = preview_replacement("d", contract={"columns": columns, "on_fault": "fail"})
    assert [change.text() for change in preview.changes] == ["n.max: – → 10", "on_fault: – → fail"]
    assert replace_contract("d", contract={"columns": columns, "on_fault": "fail"}, actor="test").number == 2
    assert replace_contract("d", contract={"columns": columns}, actor="test").quality_policy == {}


def test_a_preview_counts_the_stored_rows_that_would_not_meet_it(made):
    asked = {
        "n.min": 0, "n.max": 6, "who.allowed": ["ann", "o'neil"], "who.pattern": "a.*", "who.unique": True,
        "email.nullable": False, "at.min": "2013-01-02", "email.pattern": ".*", "n.unique": True,
    }  # fmt: skip
    preview = preview_edit("d", changes=asked)
    assert preview.breaking == {
        "n.min": 1, "n.max": 1, "who.allowed": 1, "who.pattern": 1, "who.unique": 1, "email.nullable": 2, "at.min": 1,
    }  # fmt: skip
    assert len(preview.changes) == len(asked)
    assert ContractVersion.objects.count() == 1


def test_of_edits_at_once_one_wins_and_the_others_conflict(made):
    gate, answers = threading.Barrier(6), []

    def run(number: int) -> None:
        try:
            gate.wait()
            answers.append(edit_contract("d", changes={"n.max": number}, actor=f"user:{number}", expected=1).number)
        except DomainError as error:
            answers.append(error.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(100 + number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(str, answers)) == ["2", *["contract_changed"] * 5]
    assert AuditEntry.objects.filter(action="edit_contract").count() == 1
    assert AuditEntry.objects.filter(action="edit_contract_refused").count() == 5
    assert Dataset.objects.get().contract_number == ContractVersion.objects.count() == 2


def test_rows_checked_against_an_older_contract_are_not_stored(made, write, monkeypatch):
    from features.actions import add_version as storing

    recording = storing._record

    def after_an_edit(*arguments, **options):
        edit_contract("d", changes={"n.max": 100}, actor="other")
        return recording(*arguments, **options)

    monkeypatch.setattr(storing, "_record", after_an_edit)
    with pytest.raises(DatasetChangedError, match="contract of 'd' changed while the rows were written"):
        ingest("d", [write("e.csv", ROWS.replace("7", "8"))], actor="test")
    assert DatasetVersion.objects.count() == 1


def test_a_dataset_of_earlier_times_gets_its_first_version_when_touched(made, write):
    ContractVersion.objects.all().delete()
    ingest("d", [write("e.csv", ROWS.replace("7", "8"))], actor="test")
    first = ContractVersion.objects.get()
    assert (first.number, first.state, first.reason) == (1, "proposed", "in force before contracts had versions")
    ContractVersion.objects.all().delete()
    assert edit_contract("d", changes={"n.max": 9}, actor="test").number == 2
    assert [one.number for one in ContractVersion.objects.order_by("number")] == [1, 2]


def test_values_of_a_column_about_persons_are_forgotten(made):
    assert stored_profile(DatasetVersion.objects.get())[1].histogram["values"] == ["ann", "bob"]
    edit_contract("d", changes={"who.pii": True}, actor="test")
    told = stored_profile(DatasetVersion.objects.get())[1]
    assert (told.minimum, told.maximum, told.histogram, told.distinct) == ("", "", {}, 2)
    assert ContractVersion.objects.get(number=1).report["columns"][1]["examples"] == []
    assert ColumnProfile.objects.get(column="n").minimum == "-1"


def test_a_reason_is_text_of_bounded_length(made):
    for reason in ("x" * 2001, "a\x00b"):
        with pytest.raises(SchemaError, match="a reason is a text"):
            edit_contract("d", changes={"n.max": 9}, reason=reason, actor="test")


def test_a_contract_that_says_more_must_agree_with_the_stored_one(made, write):
    columns = Dataset.objects.get().schema
    more = write("e.csv", ROWS.replace("7", "8"))
    with pytest.raises(SchemaError, match="has another schema already"):
        ingest("d", [more], actor="test", schema={"columns": columns, "rules": {"row_count": 1}})
    assert ingest("d", [more], actor="test", schema={"columns": columns}).created
