"""What knows the answer stops a snapshot and a training, and nothing is stored, until somebody says why it may."""

import json
from io import StringIO

import numpy as np
import pytest
from django.core.management import call_command

from features.actions.apply_feature_view import apply_feature_view
from features.actions.ingest import ingest
from features.actions.take_snapshot import take_snapshot
from features.core.schema import ColumnRoles
from features.errors import AcceptanceError, LeakageFoundError
from features.models import FeatureSnapshot
from mlsite.cli import exit_code
from models_store.actions.verify_audit import verify_audit
from models_store.models import AuditEntry, ModelVersion
from pipeline.actions.train import train
from pipeline.actions.train_request import TrainRequest

pytestmark = pytest.mark.django_db(transaction=True)
ROLES = ColumnRoles(timestamp="at", known_at="known", target="late", entity=("tail",))
WHY = "the schedule is published a year ahead"


@pytest.fixture
def flights(var_dir, tmp_path):
    """Ingest flights whose `code` is the answer in other words, and whose `gate` comes with the outcome."""
    draw = np.random.default_rng(1)
    lines = ["at,known,tail,wind,code,gate,other,late"]
    for hour in range(400):
        late, there = bool(draw.random() < 0.3), draw.random() > 0.1
        at = np.datetime64("2013-01-01T00:00:00") + np.timedelta64(hour, "h")
        known = f"{at + np.timedelta64(90, 'm')}Z" if there else ""
        gate = f"G{draw.integers(9)}" if there else ""
        cells = (f"{at}Z", known, f"N{hour % 7}", f"{draw.normal():.6f}", "XY"[late], gate, draw.integers(2), late)
        lines.append(",".join(map(str, cells)))
    path = tmp_path / "flights.csv"
    path.write_text("\n".join(lines).replace("True", "true").replace("False", "false"))
    ingest("flights", [path], actor="test", roles=ROLES)
    return path


def found(error):
    return [finding["name"] for finding in error.value.fields["findings"]]


BOTH = ("known_later:gate", "target_copy:code")


def test_a_snapshot_is_stopped_and_nothing_is_stored(flights, var_dir):
    with pytest.raises(
        LeakageFoundError, match="--accept known_later:gate --accept target_copy:code --reason"
    ) as error:
        take_snapshot("s", dataset="flights", actor="ann")
    assert found(error) == list(BOTH)
    assert (error.value.code, exit_code(error.value)) == ("leakage_found", 1)
    assert not FeatureSnapshot.objects.exists()
    assert not (var_dir / "snapshots").exists()
    assert not AuditEntry.objects.filter(action="accept_leakage").exists()
    with pytest.raises(LeakageFoundError) as error:
        take_snapshot("s", dataset="flights", accept=BOTH[:1], reason=WHY, actor="ann")
    assert found(error) == ["target_copy:code"]


def test_what_is_accepted_is_kept_and_audited(flights):
    made = take_snapshot("s", dataset="flights", accept=BOTH, reason=WHY, actor="ann")
    assert made.leakage["target"] == "late"
    assert [(one["name"], one["reason"], one["by"]) for one in made.leakage["findings"]] == [
        (name, WHY, "ann") for name in BOTH
    ]
    entry = AuditEntry.objects.get(action="accept_leakage")
    assert (entry.actor, entry.reason, entry.after["accepted"]) == ("ann", WHY, list(BOTH))
    assert verify_audit().ok
    # The same snapshot again is the one that was accepted; another one of the same rows is not.
    assert take_snapshot("s", dataset="flights", actor="bob").pk == made.pk
    with pytest.raises(LeakageFoundError) as error:
        take_snapshot("other", dataset="flights", actor="bob")
    assert found(error) == list(BOTH)


def test_what_comes_with_the_outcome_is_found_though_only_known_labels_are_taken(flights):
    moment = np.datetime64("2013-01-14").astype("datetime64[s]").item().astimezone()
    with pytest.raises(LeakageFoundError) as error:
        take_snapshot("s", dataset="flights", as_of=moment, actor="ann")
    assert "known_later:gate" in found(error)


def test_a_view_of_outcomes_stops_where_nothing_says_when_they_were_known(flights):
    late = [{"name": "late_7d", "column": "late", "function": "share", "window": "7d"}]
    view = {"name": "v", "dataset": "flights", "entity": "tail", "features": late}
    apply_feature_view(view, actor="test")
    take_snapshot("s", dataset="flights", views=["v"], accept=BOTH, reason=WHY, actor="ann")
    roles = ColumnRoles(timestamp="at", target="late", ignore=("known", "code", "gate"))
    ingest("plain", [flights], actor="test", roles=roles)
    apply_feature_view({**view, "name": "w", "dataset": "plain"}, actor="test")
    with pytest.raises(LeakageFoundError, match="late_7d count 'late' as known the moment it happened") as error:
        take_snapshot("s", dataset="plain", views=["w"], actor="ann")
    assert found(error) == ["target_without_known_at:w"]


def request(**more):
    return TrainRequest(**{"model": "m", "dataset": "flights", "estimator": "dummy", **more})


def test_a_training_is_stopped_and_goes_on_when_told_why(flights):
    with pytest.raises(LeakageFoundError) as error:
        train(request(), actor="ann")
    assert found(error) == list(BOTH)
    assert not FeatureSnapshot.objects.exists()
    assert not ModelVersion.objects.exists()
    with pytest.raises(AcceptanceError, match="takes its name and a reason"):
        train(request(accept=BOTH), actor="ann")
    train(request(accept=BOTH, reason=WHY), actor="ann")
    assert ModelVersion.objects.get().params["accepted_findings"] == list(BOTH)


def test_a_training_on_a_snapshot_stands_on_its_check(flights):
    made = take_snapshot("s", dataset="flights", accept=BOTH, reason=WHY, actor="ann")
    train(request(dataset="", snapshot_id=made.pk), actor="bob")
    assert ModelVersion.objects.get().params["accepted_findings"] == list(BOTH)


def test_a_training_looks_for_its_own_target(var_dir, tmp_path):
    path = tmp_path / "d.csv"
    path.write_text("a,b,c\n" + "".join(f"{n % 2},{n % 2 * 5},{n % 3}\n" for n in range(200)))
    ingest("d", [path], actor="test")
    made = take_snapshot("s", dataset="d", actor="ann")
    assert made.leakage == {"target": "", "findings": []}
    given = {"dataset": "", "snapshot_id": made.pk, "target": "a"}
    with pytest.raises(LeakageFoundError) as error:
        train(request(**given), actor="bob")
    assert found(error) == ["target_copy:b"]
    train(request(**given, accept=["target_copy:b"], reason=WHY), actor="bob")
    assert ModelVersion.objects.get().params["accepted_findings"] == ["target_copy:b"]
    entry = AuditEntry.objects.get(action="accept_leakage")
    assert (entry.actor, entry.after["target"], entry.object_id) == ("bob", "a", str(made.pk))


def run(*arguments):
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def test_the_commands_take_names_and_a_reason(flights):
    accept = [word for name in BOTH for word in ("--accept", name)]
    told = run("snapshot", "s", "--dataset", "flights", *accept, "--reason", WHY, "--actor", "ann")
    assert f"accepted by ann ({WHY}): target_copy:code: alone it tells 'late' all but perfectly (AUC 1.0000" in told
    trained = json.loads(
        run("train", "m", "--dataset", "flights", "--estimator", "dummy", *accept, "--reason", WHY, "--json")
    )
    assert trained["version"] == 1


def test_a_training_by_lot_stops_on_rows_of_one_event_and_one_by_time_does_not(var_dir, tmp_path):
    draw = np.random.default_rng(2)
    lines = ["at,tail,wind,late"]
    for hour in range(300):
        at = np.datetime64("2013-01-01T00:00:00") + np.timedelta64(hour // 2, "h")
        lines.append(f"{at}Z,N1,{draw.normal():.6f},{'yes' if draw.random() < 0.4 else 'no'}")
    path = tmp_path / "flights.csv"
    path.write_text("\n".join(lines))
    ingest("doubled", [path], actor="test", roles=ColumnRoles(timestamp="at", target="late", entity=("tail",)))
    asked = {"model": "m", "dataset": "doubled", "estimator": "logistic_regression"}
    train(TrainRequest(**asked), actor="ann")
    with pytest.raises(LeakageFoundError, match=r"share tail, at with one learnt from") as error:
        train(TrainRequest(**asked, split="random"), actor="ann")
    assert found(error) == ["same_event_across_split"]
    assert ModelVersion.objects.count() == 1
    asked |= {"split": "random", "accept": ("same_event_across_split",), "reason": WHY}
    train(TrainRequest(**asked), actor="ann")
    assert ModelVersion.objects.get(number=2).params["accepted_findings"] == ["same_event_across_split"]
    assert AuditEntry.objects.get(action="accept_leakage").after["accepted"] == ["same_event_across_split"]
