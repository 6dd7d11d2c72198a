"""The audit can't be rewritten: not by a query, not byte by byte, not by taking off its end."""

import json
import random
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from models_store.actions.audit import append_audit
from models_store.actions.verify_audit import checkpoint_audit, verify_audit
from models_store.adapters.audit_export import export_audit
from models_store.core.chain import GENESIS, Link, link_hash
from models_store.errors import AuditBrokenError, NoSigningKeyError
from models_store.models import AuditCheckpoint, AuditEntry, OutboxEvent
from tests.append_only import unguarded

TABLE = "models_store_auditentry"
COLUMNS = [field.column for field in AuditEntry._meta.fields if field.column != "id"]


def append(count: int = 1, **changes) -> list[AuditEntry]:
    given = {"actor": "cli:tests", "action": "try", "object_type": "registered_model", "object_id": "flights"}
    given |= {"after": {"share": 0.1, "name": "é", "gates": ["a", "b"]}, "reason": "because"}
    with transaction.atomic():
        return [append_audit(**{**given, **changes}) for _ in range(count)]


def execute(sql: str, *values: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)


def numbers() -> list[int]:
    return list(AuditEntry.objects.order_by("id").values_list("pk", flat=True))


@pytest.mark.parametrize("table", ["models_store_auditentry", "models_store_auditcheckpoint"])
@pytest.mark.parametrize("deed", ["UPDATE {} SET created_at = created_at", "DELETE FROM {}"])
def test_database_refuses_to_change_what_is_recorded(store, table, deed):
    append(2)
    checkpoint_audit()
    with pytest.raises(IntegrityError, match=f"{table} is append-only"), transaction.atomic():
        execute(deed.format(table))
    assert (len(numbers()), AuditCheckpoint.objects.count()) == (2, 1)
    assert verify_audit().ok


@pytest.mark.skipif("connection.vendor != 'sqlite'", reason="bytes are changed in SQLite's own way")
def test_any_flipped_byte_of_an_entry_is_named(store):
    entries, chance = append(5), random.Random(7)
    victim, named = entries[2], 0
    # As on the disk, where no constraint looks.
    execute("PRAGMA ignore_check_constraints = ON")
    with unguarded():
        for column in COLUMNS:
            with connection.cursor() as cursor:
                cursor.execute(f"SELECT CAST({column} AS BLOB) FROM {TABLE} WHERE id = %s", [victim.pk])
                sound = bytes(cursor.fetchone()[0])
            for place in chance.sample(range(len(sound)), min(len(sound), 12)):
                flipped = bytearray(sound)
                flipped[place] ^= 1 << chance.randrange(8)
                execute(f"UPDATE {TABLE} SET {column} = CAST(%s AS TEXT) WHERE id = %s", bytes(flipped), victim.pk)
                found = verify_audit()
                # A byte between a date and its time, or the case of an escape's digits, says nothing.
                says_the_same = found.ok and AuditEntry.objects.get(pk=victim.pk).as_dict() == victim.as_dict()
                assert says_the_same or found.first_bad == victim.pk, (column, bytes(flipped))
                named += not says_the_same
            execute(f"UPDATE {TABLE} SET {column} = CAST(%s AS TEXT) WHERE id = %s", sound, victim.pk)
    execute("PRAGMA ignore_check_constraints = OFF")
    assert verify_audit().ok
    assert named > 70


def test_removed_tail_is_seen_once_it_was_signed(store):
    append(6)
    kept = numbers()[:4]
    checkpoint_audit()
    with unguarded():
        AuditEntry.objects.exclude(pk__in=kept).delete()
    found = verify_audit()
    assert (found.ok, found.entries, found.first_bad) == (False, 4, kept[-1] + 1)
    assert found.why == "6 entries were signed, 4 are there: the end was taken off"


def test_forged_tail_is_named_at_its_first_entry(store):
    append(6)
    kept = numbers()[:4]
    checkpoint_audit()
    with unguarded():
        AuditEntry.objects.exclude(pk__in=kept).delete()
    forged = append(3, reason="nothing to see here")
    assert verify_audit().first_bad == forged[0].pk


def test_rehashed_tail_under_the_old_numbers_is_named_at_the_signed_entry(store):
    append(4)
    checkpoint_audit()
    with unguarded():
        previous = GENESIS
        for entry in AuditEntry.objects.order_by("id"):
            entry.actor, entry.previous_hash = "user:eve", previous
            link = entry.link()
            assert isinstance(link, Link)
            entry.hash = previous = link_hash(link)
            entry.save()
    assert (verify_audit().first_bad, verify_audit().why) == (numbers()[-1], "it is not the entry that was signed")


def test_forged_checkpoint_is_refused(store):
    append(3)
    checkpoint_audit()
    with unguarded():
        AuditCheckpoint.objects.update(entries=2)
    found = verify_audit()
    assert (found.ok, found.first_bad) == (False, numbers()[-1])
    assert "the signature does not fit" in found.why


def test_checkpoint_is_made_when_it_is_time_and_something_was_appended(store):
    assert checkpoint_audit() is None
    append(2)
    first = checkpoint_audit(every_minutes=60)
    assert (first.entries, first.entry) == (2, numbers()[-1])
    append()
    assert checkpoint_audit(every_minutes=60) is None
    with unguarded():
        AuditCheckpoint.objects.update(at=timezone.now() - timedelta(minutes=61))
        assert not verify_audit().ok  # the time is signed too
        AuditCheckpoint.objects.update(at=first.at)
    second = checkpoint_audit()
    assert (second.entries, checkpoint_audit()) == (3, None)
    assert verify_audit().ok
    told = OutboxEvent.objects.filter(kind="audit.checkpoint").latest("id").payload
    assert (told["head"], told["signature"]) == (second.head, second.signature)


def test_broken_chain_is_not_signed(store):
    append(3)
    checkpoint_audit()
    append(3)
    victim = numbers()[4]
    with unguarded():
        AuditEntry.objects.filter(pk=victim).update(reason="changed")
    with pytest.raises(AuditBrokenError, match=f"breaks at entry {victim}: it is not what was hashed"):
        checkpoint_audit()
    with unguarded():
        AuditEntry.objects.filter(pk__gte=numbers()[2]).delete()
    with pytest.raises(AuditBrokenError, match="is gone or changed"):
        checkpoint_audit()


def test_process_without_the_private_key_signs_nothing(store, configure):
    append()
    configure("security", trusted_keys=["A" * 43 + "="])
    with pytest.raises(NoSigningKeyError):
        checkpoint_audit()
    assert not AuditCheckpoint.objects.exists()


def test_long_chain_is_read_in_parts(store, monkeypatch):
    monkeypatch.setattr("models_store.models.audit.CHUNK", 3)
    append(8)
    assert (verify_audit().ok, verify_audit().entries) == (True, 8)
    assert [link.number for link in AuditEntry.objects.chained(after=numbers()[4])] == numbers()[5:]


def test_every_entry_has_a_request_id(store):
    append(2)
    assert all(AuditEntry.objects.values_list("request_id", flat=True))


def test_exported_file_holds_the_whole_chain(store, tmp_path):
    append(3)
    assert export_audit(AuditEntry.objects.all(), tmp_path / "audit.jsonl") == 3
    lines = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    assert [line["previous_hash"] for line in lines] == [GENESIS, *(line["hash"] for line in lines[:2])]
    assert lines[0].items() >= {"actor": "cli:tests", "reason": "because"}.items()
    assert list(tmp_path.glob(".*part")) == []
