"""Approvals, policy, schedules and the audit from a shell."""

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone

from features.ground.errors import DomainError
from mlsite.cli import exit_code
from models_store.models import AuditEntry
from tests.append_only import unguarded
from tests.models_store.made import GOOD, made
from tests.models_store.people import account, due, waiting

BAD = {**GOOD, "test": {**GOOD["test"], "log_loss": 0.7}}


def run(*arguments: str) -> dict:
    out = StringIO()
    call_command(*arguments, "--json", stdout=out)
    return json.loads(out.getvalue())


def text(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def refused(*arguments: str) -> tuple[str, int]:
    with pytest.raises(DomainError) as refusal:
        run(*arguments)
    return refusal.value.code, exit_code(refusal.value)


def test_four_eyes_at_the_shell(store):
    made()
    assert run("policy", "flights", "--set", "approvals=1", "--reason", "four eyes")["policy"]["approvals"] == 1
    ask = ("promote", "flights@1", "--stage", "production", "--reason", "better", "--actor", "alice")
    asked = run(*ask)
    assert (asked["state"], asked["generation"]) == ("waiting", 0)
    number = str(asked["request"])
    assert [row["request"] for row in run("requests")["requests"]] == [asked["request"]]
    assert "alice" in text("requests", "flights")
    assert refused("approve", number, "--actor", "alice") == ("own_request", 1)
    done = run("approve", number, "--actor", "bob", "--reason", "seen")
    assert done.items() >= {"request": asked["request"], "state": "applied", "generation": 1}.items()
    assert refused("approve", number, "--actor", "carol") == ("request_closed", 4)
    assert refused("approve", "999", "--actor", "carol") == ("unknown_request", 2)
    assert run("requests")["requests"] == []
    assert run("requests", "--all")["requests"][0]["approvals"][0].items() >= {"approver": "bob"}.items()
    assert "no requests" in text("requests")


def test_rejection_at_the_shell(store):
    number = str(waiting())
    with pytest.raises(CommandError, match="--reason"):
        run("reject", number)
    assert run("reject", number, "--reason", "no", "--actor", "bob") == {"request": int(number), "state": "rejected"}
    assert refused("reject", number, "--reason", "no", "--actor", "bob") == ("request_closed", 4)


def test_waiver_and_time_at_the_shell(store):
    made(metrics=BAD)
    admin = account("adm", "admin")
    ask = ("promote", "flights@1", "--stage", "production", "--reason", "agreed")
    waive = ("--waive", "better_than_baseline=another month")
    assert refused(*ask, *waive) == ("right_missing", 1)
    assert refused(*ask, "--waive", "better_than_baseline") == ("bad_promotion", 2)
    assert refused(*ask, "--not-before", "tomorrow") == ("bad_spec", 2)
    later = (timezone.now() + timedelta(hours=1)).replace(tzinfo=None).isoformat()
    asked = run(*ask, *waive, "--not-before", later, "--actor", admin)
    assert asked["state"] == "scheduled"
    assert run("apply_due") == {"applied": [], "ended": [], "expired": []}
    due(asked["request"])
    assert run("apply_due")["applied"] == [asked["request"]]
    assert run("models", "flights@1")["waivers"][0]["reason"] == "another month"


def test_policy_is_shown_and_replaced(store, tmp_path):
    made()
    assert run("policy", "flights")["policy"]["approvals"] == 0
    file = tmp_path / "policy.yaml"
    file.write_text(
        "approvals: 2\ntimezone: Europe/Berlin\nwindows: [{days: [mon], from: '09:00', to: '16:00'}]\n"
        "freezes: [{from: 2026-12-20, to: 2027-01-04, reason: holidays}]\n"
    )
    with pytest.raises(CommandError, match="needs a --reason"):
        run("policy", "flights", "--file", str(file))
    changed = run("policy", "flights", "--file", str(file), "--reason", "agreed", "--actor", "root")["policy"]
    assert changed["freezes"][0]["from"] == "2026-12-20T00:00:00+00:00"
    assert run("policy", "flights")["policy"] == changed
    assert "holidays" in text("policy", "flights")
    assert refused("policy", "flights", "--set", "approvals=many", "--reason", "x") == ("bad_policy", 2)
    assert refused("policy", "flights", "--set", "windows=[", "--reason", "x") == ("bad_policy", 2)
    file.write_text("- a list")
    assert refused("policy", "flights", "--file", str(file), "--reason", "x") == ("bad_policy", 2)
    with pytest.raises(CommandError, match="KEY=VALUE"):
        run("policy", "flights", "--set", "approvals", "--reason", "x")
    assert AuditEntry.objects.get(action="change_policy").actor == "root"


def test_audit_is_signed_exported_and_checked_at_the_shell(store, tmp_path):
    made()
    made()
    signed = run("audit_checkpoint")
    assert (signed["made"], signed["entries"]) == (True, 2)
    assert run("audit_checkpoint") == {"made": False}
    assert "nothing was appended" in text("audit_checkpoint")
    file = tmp_path / "audit.jsonl"
    assert run("audit", "--export", str(file)) == {"entries": 2, "file": str(file)}
    assert len(file.read_text().splitlines()) == 2
    with unguarded():
        AuditEntry.objects.latest("id").delete()
    with pytest.raises(CommandError, match=r"breaks at entry \d+: 2 entries were signed, 1 are there") as broken:
        run("audit_verify")
    assert broken.value.returncode == 1


def test_what_one_command_brings_about_has_one_request_id(store):
    made()
    run("policy", "flights", "--set", "approvals=1", "--reason", "x")
    run("promote", "flights@1", "--stage", "production", "--reason", "x", "--actor", "ann")
    number = str(run("requests")["requests"][0]["request"])
    run("approve", number, "--actor", "bob")
    ids = dict(AuditEntry.objects.values_list("action", "request_id"))
    assert ids["approve"] == ids["promote"] != ids["promote_requested"]


def test_events_are_delivered_at_the_shell(store):
    waiting()
    assert run("deliver_events") == {"delivered": 0, "failed": 0}
