import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone

from mlsite.cli import exit_code
from models_store.errors import (
    BadSpecError,
    GateFailedError,
    PickleRefusedError,
    PromotionConflictError,
    UnknownModelError,
)
from models_store.models import AuditEntry
from tests.append_only import unguarded
from tests.models_store.made import GOOD, classifier, made

BAD = {**GOOD, "test": {**GOOD["test"], "log_loss": 0.7}}


def run(*arguments: str) -> dict:
    out = StringIO()
    call_command(*arguments, "--json", stdout=out)
    return json.loads(out.getvalue())


def text(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def promoted(spec: str = "flights@1", stage: str = "production") -> dict:
    return run("promote", spec, "--stage", stage, "--reason", "better", "--actor", "user:ann")


def test_models_lists_shows_and_details(store):
    made()
    promoted()
    assert run("models")["models"][0].items() >= {"name": "flights", "production": 1, "generation": 1}.items()
    shown = run("models", "flights")
    assert shown["versions"][0].keys() >= {"version", "stage", "digest", "metrics"}
    one = run("models", "flights@1")
    assert one.keys() >= {"name", "version", "stage", "digest", "metrics", "gates", "lineage", "schema", "signature"}
    assert (one["version"], one["stage"], one["metrics"]) == (1, "production", GOOD)
    assert all(found["passed"] for found in one["gates"])


def test_models_without_a_name_say_what_to_do_next(store):
    assert "train or register" in text("models")
    made()
    assert "flights" in text("models")
    assert "candidate" in text("models", "flights")
    assert run("models", "flights@1")["gates"] == []


def test_a_version_is_told_part_by_part(store):
    metrics = {**GOOD, "rows": {"test": 9}, "slices": {"origin": []}}
    columns = [{"name": "length", "nullable": True}, {"name": "width", "min": 0, "max": 10}]
    made(metrics=metrics, params={"estimator": {"C": 1.0}}, input_schema=columns)
    shown = text("models", "flights@1")
    assert shown.startswith("flights@1\n\nstage               candidate\n")
    assert "not evaluated yet: `gates` does" in shown
    promoted()
    shown = text("models", "flights@1")
    lines = [" ".join(line.split()) for line in shown.splitlines()]
    assert "metric test baseline linear_baseline" in lines
    assert "log_loss 0.4 0.6 0.45" in lines
    assert "calibration_error 0.02 - -" in lines
    assert "passed signature_compatible no other version is in production nothing to compare with" in lines
    assert {"length number or missing", "width number min 0, max 10", "task classification, classes 0, 1"} <= {*lines}
    assert {"estimator logistic_regression", "params estimator C 1"} <= {*lines}
    assert "{" not in shown


def test_a_version_with_nothing_measured_is_told(store):
    made(metrics={}, input_schema=[{"name": "kind", "dtype": "string", "allowed": ["a", "b"]}, {"name": "n"}])
    shown = text("models", "flights@1")
    assert "metrics:" not in shown
    assert " ".join(shown.split()).count("kind string one of a, b") == 1


def test_gates_print_every_gate(store):
    made(metrics=BAD)
    found = {row["gate"]: row["passed"] for row in run("gates", "flights@1")["gates"]}
    assert found["artefact_verified"]
    assert not found["better_than_baseline"]
    assert "FAILED  better_than_baseline" in text("gates", "flights@1")
    assert {row["gate"] for row in run("gates", "flights@1", "--stage", "canary")["gates"]} < set(found)


def test_promote_prints_request_state_and_gates(store):
    made()
    done = promoted()
    assert (done["state"], done["generation"]) == ("applied", 1)
    assert done["gates"][0].keys() == {"gate", "passed", "observed", "threshold"}
    assert AuditEntry.objects.get(action="promote").actor == "user:ann"
    canary = text("promote", str(made()), "--stage", "canary", "--reason", "try", "--percent", "5")
    assert canary.startswith(f"request {done['request'] + 1}: applied (generation 2)")


def test_refused_promotion_exits_1_and_names_the_gate(store):
    made(metrics=BAD)
    with pytest.raises(GateFailedError, match="better_than_baseline") as refusal:
        promoted()
    assert exit_code(refusal.value) == 1


def test_stale_promotion_exits_4(store):
    made()
    with pytest.raises(PromotionConflictError) as conflict:
        run("promote", "flights@1", "--stage", "shadow", "--reason", "x", "--expected-generation", "5")
    assert exit_code(conflict.value) == 4


def test_unknown_model_exits_2(store):
    with pytest.raises(UnknownModelError) as unknown:
        promoted("delays@1")
    assert exit_code(unknown.value) == 2


def test_promote_without_a_reason_is_wrong_usage(store):
    with pytest.raises(CommandError, match="--reason"):
        call_command("promote", "flights@1", "--stage", "production")


def test_rollback_prints_from_and_to(store):
    made()
    made()
    promoted()
    promoted("flights@2")
    done = run("rollback", "flights", "--reason", "worse")
    assert (done["from"], done["to"], done["generation"]) == (2, 1, 3)
    assert done["seconds"] >= 0
    assert run("rollback", "flights", "--to", "2", "--reason", "better after all")["to"] == 2


def test_default_actor_is_the_os_user(store):
    made()
    run("promote", "flights@1", "--stage", "shadow", "--reason", "look")
    assert AuditEntry.objects.get(action="promote").actor.startswith("cli:")


def test_register_prints_what_train_does(store, tmp_path):
    (tmp_path / "m.onnx").write_bytes(classifier())
    (tmp_path / "schema.yaml").write_text("- {name: a}\n- {name: b, max: 3}\n")
    done = run("register", "late", str(tmp_path / "m.onnx"), "--schema", str(tmp_path / "schema.yaml"))
    assert done.items() >= {"model": "late", "version": 1, "stage": "candidate", "engine": "onnx"}.items()
    assert len(done["artefact_digest"]) == 64
    assert run("models", "late@1")["schema"]["inputs"][1]["max"] == 3
    assert run("register", "late", str(tmp_path / "m.onnx"), "--n-features", "2")["version"] == 2


def test_register_refuses_a_pickle_with_exit_1(store, tmp_path):
    (tmp_path / "m.pkl").write_bytes(b"x")
    with pytest.raises(PickleRefusedError) as refusal:
        run("register", "late", str(tmp_path / "m.pkl"))
    assert exit_code(refusal.value) == 1


def test_live_at_reads_times_as_utc(store):
    made()
    promoted()
    soon = (timezone.now() + timedelta(minutes=1)).replace(tzinfo=None).isoformat()
    found = run("live_at", "flights", soon)
    assert found.items() >= {"version": 1, "actor": "user:ann", "reason": "better"}.items()
    assert run("live_at", "flights", "2020-01-01T00:00:00+02:00")["version"] is None
    with pytest.raises(BadSpecError, match="ISO 8601"):
        run("live_at", "flights", "yesterday")


def test_audit_is_shown_newest_first_and_by_object(store):
    made()
    made("delays")
    promoted()
    assert [entry["action"] for entry in run("audit")["entries"]] == ["promote", "register_version", "register_version"]
    assert {entry["object_id"] for entry in run("audit", "--object", "delays")["entries"]} == {"delays@1"}
    assert len(run("audit", "--limit", "1")["entries"]) == 1
    assert "better" in text("audit")
    assert "no entries" in text("audit", "--object", "nobody")


def test_audit_verify_tells_and_exits_1_where_it_breaks(store):
    made()
    made()
    assert run("audit_verify") == {"ok": True, "entries": 2, "first_bad": None}
    first = AuditEntry.objects.order_by("id").first()
    with unguarded():
        AuditEntry.objects.filter(pk=first.pk).update(actor="user:eve")
    out = StringIO()
    with pytest.raises(CommandError, match=f"breaks at entry {first.pk}") as broken:
        call_command("audit_verify", "--json", stdout=out)
    assert broken.value.returncode == 1
    assert json.loads(out.getvalue()).items() >= {"ok": False, "entries": 1, "first_bad": first.pk}.items()
