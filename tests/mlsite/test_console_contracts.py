"""Approve and edit a contract, and see its rows refused, from the console: the same actions as everywhere."""

import csv
import io
import json
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse

from features.actions.edit_contract import edit_contract
from features.actions.fix_quarantined import fix_quarantined
from features.actions.ingest import ingest
from features.ground.roles import ROLES
from features.models import ContractVersion, Dataset
from models_store.models import AuditEntry
from predictions.actions.ensure_roles import ensure_roles

pytestmark = pytest.mark.django_db(transaction=True)
BAD = "<script>alert(1)</script>"
CLEAN = "at,amount,note\n" + "".join(f"2013-01-{day:02d}T10:00:00Z,{day},n{day}\n" for day in range(1, 21))
DIRTY = CLEAN + "".join(f'never,"=1+1",{BAD}{place}\n' for place in range(60)) + "2013-02-01T10:00:00Z,5\n"


@pytest.fixture
def payments(var_dir: Path, tmp_path: Path) -> Dataset:
    """Ingest a clean file and a dirty one: 61 rows are refused."""
    for name, body in (("clean.csv", CLEAN), ("dirty.csv", DIRTY)):
        (tmp_path / name).write_text(body)
        ingest("payments", [tmp_path / name], actor="test", max_rejected=0.9)
    return Dataset.objects.get()


@pytest.fixture
def member() -> Callable[[str], Client]:
    ensure_roles(ROLES, promoters=())

    def signed_in(role: str) -> Client:
        person = User.objects.create_user(f"{role}-person", is_staff=True)
        person.groups.add(Group.objects.get(name=role))
        client = Client()
        client.force_login(person)
        return client

    return signed_in


def address(name: str, dataset: Dataset) -> str:
    return reverse(f"admin:features_dataset_{name}", args=[dataset.pk])


def ask(client: Client, name: str, dataset: Dataset, **fields: object) -> Any:
    """Submit a dialog as the page does."""
    form = {"_form_submitted": "on", "reason": "Read it.", "expected": str(dataset.contract_number), **fields}
    return client.post(address(name, dataset), form, headers={"HX-Request": "true"})


def said(answer: Any) -> str:
    return " ".join(str(message) for message in get_messages(answer.wsgi_request))


def test_contract_is_approved_by_name_and_reason(payments: Dataset, member: Callable[[str], Client]) -> None:
    client = member("admin")
    page = client.get(address("change", payments)).content.decode()
    assert address("approve", payments) in page
    assert "Inferred from the first rows" in page
    assert "of dtype integer" in client.get(address("approve", payments)).content.decode()
    answer = ask(client, "approve", payments)
    assert said(answer) == "Contract 1 of payments is approved."
    contract = ContractVersion.objects.get()
    assert (contract.state, contract.approved_by) == ("approved", "user:admin-person")
    entry = AuditEntry.objects.latest("id")
    assert (entry.action, entry.reason, entry.actor) == ("approve_contract", "Read it.", "user:admin-person")
    assert address("approve", payments) not in client.get(address("change", payments)).content.decode()
    assert ask(client, "approve", payments).status_code == 403


def test_edit_makes_a_new_contract_and_says_what_it_changed(payments: Dataset, member: Callable[[str], Client]) -> None:
    client = member("admin")
    answer = ask(
        client, "edit_contract", payments, changes="amount.min=0\r\n\r\nnote.pii=true\r\nmax_rejected=0.02\r\n"
    )
    assert "Contract 2 of payments is in force" in said(answer)
    payments.refresh_from_db()
    columns = {column.name: column for column in payments.columns()}
    assert (columns["amount"].min, columns["note"].pii, payments.quality_policy["max_rejected"]) == (0, True, 0.02)
    page = unescape(client.get(address("change", payments)).content.decode())
    assert "amount.min: – → 0" in page
    assert "PERSONAL" in page.upper()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ("amount", "a change is PATH=VALUE"),
        ("nothing.min=0", "there is nothing at"),
        ("amount.min=[", "a value is written as in YAML"),
        ("amount.min=0\namount.min=1", "each path may come once"),
        ("note.dtype=number", "can't become number"),
        ("amount.dtype=integer", "says all of that already"),
        ("  ", "Say at least one change"),
    ],
)
def test_edit_that_makes_no_sense_changes_nothing(
    payments: Dataset, member: Callable[[str], Client], changes: str, words: str
) -> None:
    answer = ask(member("admin"), "edit_contract", payments, changes=changes)
    assert words in unescape(answer.content.decode()) + said(answer)
    assert ContractVersion.objects.count() == 1


def test_dialog_of_a_contract_that_was_replaced_is_refused(payments: Dataset, member: Callable[[str], Client]) -> None:
    client = member("admin")
    edit_contract("payments", changes={"amount.min": 0}, actor="test")
    answer = ask(client, "edit_contract", payments, changes="amount.max=9")
    assert "contract 2 of 'payments' is in force by now, not 1" in said(answer)
    assert ContractVersion.objects.count() == 2


@pytest.mark.parametrize("role", ["promoter", "user", "readonly"])
def test_others_read_the_contract_and_change_nothing(
    payments: Dataset, member: Callable[[str], Client], role: str
) -> None:
    client = member(role)
    page = client.get(address("change", payments)).content.decode()
    for name in ("approve", "edit_contract"):
        assert address(name, payments) not in page
        assert client.get(address(name, payments)).status_code == 403
        assert ask(client, name, payments, changes="amount.min=0").status_code == 403
    assert ContractVersion.objects.get().state == "proposed"


def test_form_of_another_site_changes_nothing(payments: Dataset, member: Callable[[str], Client]) -> None:
    member("admin")
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(User.objects.get(username="admin-person"))
    assert ask(strict, "approve", payments).status_code == 403
    assert ContractVersion.objects.get().state == "proposed"


def test_refused_rows_are_browsed_in_pages_with_all_reasons(payments: Dataset, member: Callable[[str], Client]) -> None:
    client, here = member("readonly"), address("quarantine", payments)
    page = client.get(here).content.decode()
    assert page.count('class="c-reasons"') == 50
    assert "1 to 50 of 61" in page
    assert "not_timestamp" in page
    assert BAD not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert client.get(here, {"page": "1"}).content.decode().count('class="c-reasons"') == 11
    shorter = client.get(here, {"reason": "wrong_number_of_fields"}).content.decode()
    assert shorter.count('class="c-reasons"') == 1
    assert "2013-02-01T10:00:00Z,5" in shorter
    assert "No row in quarantine fits" in client.get(here, {"version": "1"}).content.decode()
    assert client.get(here, {"page": "99"}).status_code == 200


def test_export_is_mended_and_brought_back_and_counts_once(
    payments: Dataset, member: Callable[[str], Client], tmp_path: Path
) -> None:
    client = member("admin")
    answer = client.get(address("quarantine_export", payments), {"format": "jsonl", "reason": "not_timestamp"})
    assert answer.streaming
    assert "payments-refused.jsonl" in answer["Content-Disposition"]
    rows = [json.loads(line) for line in b"".join(answer).decode().splitlines()]
    assert len(rows) == 60
    rows[0] |= {"at": "2013-03-01T10:00:00Z", "amount": 1}
    (tmp_path / "mended.jsonl").write_text(json.dumps(rows[0]) + "\n")
    fix_quarantined("payments", tmp_path / "mended.jsonl", actor="test")
    here = address("quarantine", payments)
    assert "1 to 50 of 60" in client.get(here).content.decode()
    everything = client.get(here, {"state": "all"}).content.decode()
    assert "of 61" in everything
    assert everything.count("mended in version 3") == 1
    left = client.get(address("quarantine_export", payments), {"format": "jsonl", "reason": "not_timestamp"})
    assert len(b"".join(left).splitlines()) == 59


def test_csv_export_holds_no_formula(payments: Dataset, member: Callable[[str], Client]) -> None:
    answer = member("readonly").get(address("quarantine_export", payments), {"format": "csv"})
    table = list(csv.reader(io.StringIO(b"".join(answer).decode())))
    assert table[0] == ["at", "amount", "note", "__version", "__row", "__reasons", "__raw"]
    assert len(table) == 62
    assert not [cell for row in table for cell in row if cell.startswith(("=", "+", "@"))]


def test_values_about_people_are_hidden_and_leave_with_an_administrator_alone(
    payments: Dataset, member: Callable[[str], Client]
) -> None:
    edit_contract("payments", changes={"note.pii": True}, actor="test")
    reader, admin = member("readonly"), member("admin")
    assert "alert(1)" not in reader.get(address("quarantine", payments)).content.decode()
    export = address("quarantine_export", payments)
    assert export not in reader.get(address("quarantine", payments)).content.decode()
    assert reader.get(export).status_code == 403
    assert export in admin.get(address("quarantine", payments)).content.decode()
    assert b"alert(1)" in b"".join(admin.get(export))


def test_export_in_another_form_is_not_found(payments: Dataset, member: Callable[[str], Client]) -> None:
    client = member("admin")
    assert client.get(address("quarantine_export", payments), {"format": "xlsx"}).status_code == 404
    assert client.get(reverse("admin:features_dataset_quarantine", args=[999])).status_code == 404
