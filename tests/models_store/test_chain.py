from dataclasses import replace
from datetime import UTC, datetime

import pytest
from django.db import connection, transaction

from features.ground.audit import audited_refusals
from models_store.actions.audit import append_audit
from models_store.actions.verify_audit import verify_audit
from models_store.core.chain import GENESIS, Link, StoredLink, link_hash, verify_chain
from models_store.errors import UnknownModelError
from models_store.models import AuditEntry
from tests.append_only import unguarded


def chain(length: int) -> list[StoredLink]:
    links, previous = [], GENESIS
    for number in range(1, length + 1):
        link = Link(
            at=datetime(2026, 1, number, tzinfo=UTC),
            actor="user:alice",
            action="promote",
            object_type="model_version",
            object_id=f"flights@{number}",
            before={},
            after={"generation": number},
            reason="better",
            request_id="",
            previous_hash=previous,
        )
        previous = link_hash(link)
        links.append(StoredLink(number=number, link=link, hash=previous))
    return links


def test_whole_chain_holds():
    assert verify_chain(chain(5)).ok
    assert verify_chain([]).entries == 0


@pytest.mark.parametrize(
    "change",
    [
        {"actor": "user:mallory"},
        {"reason": "bettes"},
        {"after": {"generation": 4}},
        {"at": datetime(2026, 1, 3, 0, 0, 1, tzinfo=UTC)},
    ],
)
def test_changed_entry_is_found(change):
    links = chain(5)
    links[2] = replace(links[2], link=replace(links[2].link, **change))
    found = verify_chain(links)
    assert (found.ok, found.entries, found.first_bad) == (False, 3, 3)


def test_rehashed_entry_breaks_the_next_one():
    links = chain(5)
    forged = replace(links[2].link, reason="other")
    links[2] = StoredLink(number=3, link=forged, hash=link_hash(forged))
    assert verify_chain(links).first_bad == 4


def test_entry_taken_out_is_found():
    links = chain(5)
    del links[1]
    assert verify_chain(links).first_bad == 3


def test_number_has_the_same_hash_in_both_forms_a_database_may_give_back():
    link = chain(1)[0].link
    assert link_hash(replace(link, after={"n": [1.0]})) == link_hash(replace(link, after={"n": [1]}))
    assert link_hash(replace(link, after={"n": 0.1})) != link_hash(replace(link, after={"n": 0.2}))


def append(**changes) -> AuditEntry:
    given = {"actor": "cli:tests", "action": "try", "object_type": "registered_model", "object_id": "flights"}
    with transaction.atomic():
        return append_audit(**{**given, **changes})


def test_stored_chain_holds_and_names_the_first_changed_entry(store):
    entries = [
        append(after={"share": 0.1, "name": "é", "none": None, "big": 1e300, "tiny": -1e-300, "one": 1.0})
        for _ in range(4)
    ]
    assert verify_audit().ok
    with unguarded():
        AuditEntry.objects.filter(pk=entries[1].pk).update(reason="changed")
    assert verify_audit().first_bad == entries[1].pk


def test_entry_outside_a_transaction_is_refused(store):
    assert not connection.in_atomic_block
    with pytest.raises(transaction.TransactionManagementError, match="inside the transaction"):
        append_audit(actor="a", action="b", object_type="c", object_id="d")


def test_hostile_text_is_stored_and_still_verifies(store):
    append(reason="\x00\ud800" + "x" * 5000, object_id="../<script>" * 50, after={"\x00": ["\x00", float("nan")]})
    stored = AuditEntry.objects.get()
    assert len(stored.reason) == 2000
    assert stored.after == {"\ufffd": ["\ufffd", None]}
    assert verify_audit().ok


def test_refusal_is_audited_and_rises(store):
    asked = {"actor": "user:eve", "action": "promote", "object_type": "model_version", "object_id": "x@1"}
    with pytest.raises(UnknownModelError), audited_refusals(**asked, asked={"target_stage": "production"}):
        raise UnknownModelError("no model is called 'x'")
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.actor, entry.after["code"]) == ("promote_refused", "user:eve", "unknown_model")


def test_two_entries_cannot_follow_the_same_one(store):
    first = append()
    second = append()
    assert second.previous_hash == first.hash
    assert first.previous_hash == GENESIS
