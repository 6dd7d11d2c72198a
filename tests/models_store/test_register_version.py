import threading

import pytest
from django.db import DatabaseError, IntegrityError, connection

from features.ground.errors import DomainError
from models_store.actions import register_version as module
from models_store.adapters.artefacts import read_artefact
from models_store.errors import BadSpecError, BadVersionError, NoSigningKeyError, NumberTakenError
from models_store.models import AuditEntry, ModelVersion, RegisteredModel
from tests.models_store.made import GOOD, made, new_version


def test_first_version_makes_the_model_with_its_policy(store):
    version = made()
    model = RegisteredModel.objects.get()
    assert (str(version), version.stage) == ("flights@1", "candidate")
    assert (model.task, model.primary_metric, model.generation) == ("classification", "log_loss", 0)
    assert "better_than_baseline" in model.policy["stages"]["production"]
    assert version.metrics == GOOD


def test_artefact_says_what_the_row_says(store):
    version = made()
    manifest = read_artefact(version).manifest
    assert (manifest["model"], manifest["version"]) == ("flights", 1)
    assert manifest["input_schema"] == version.input_schema
    assert manifest["metrics"] == version.metrics
    assert manifest["libraries"]["numpy"]
    assert len(manifest["sample"]) == 5


def test_numbers_follow_each_other_by_model(store):
    assert [made().number, made().number, made("delays").number] == [1, 2, 1]


def test_registration_is_audited(store):
    version = made()
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.object_id, entry.actor) == ("register_version", "flights@1", "cli:tests")
    assert entry.after["digest"] == version.manifest_digest


def test_metric_that_is_not_finite_is_kept_as_null(store):
    assert made(metrics={"test": {"log_loss": float("nan")}}).metrics == {"test": {"log_loss": None}}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"engine": "sklearn", "files": {"model.onnx": b"x"}}, "engine must be"),
        ({"engine": "torch"}, "engine must be"),
        ({"task": "clustering"}, "task must be"),
        ({"input_schema": []}, "1 to 2000 columns"),
        ({"primary_metric": "speed"}, "which way"),
        ({"params": {"a": {1}}}, "JSON-compatible"),
    ],
)
def test_version_with_a_fault_leaves_nothing(store, changes, said):
    with pytest.raises(BadVersionError, match=said):
        made(**changes)
    assert not RegisteredModel.objects.exists()
    assert not (store / "artefacts").exists()


def test_model_by_an_impossible_name_is_refused(store):
    with pytest.raises(BadSpecError):
        made("../flights")


def test_model_of_another_task_is_refused(store):
    made()
    with pytest.raises(BadVersionError, match="flights is a classification, got a version for regression"):
        made(task="regression", primary_metric="rmse", output_schema={})
    assert ModelVersion.objects.count() == 1


def test_process_without_a_private_key_registers_nothing(store, configure):
    configure("security", trusted_keys=["A" * 43 + "="])
    with pytest.raises(NoSigningKeyError):
        made()
    assert not RegisteredModel.objects.exists()


def test_number_taken_meanwhile_is_not_taken_twice(store, monkeypatch):
    real, racing = module.write_artefact, []

    def slow_write(files, about):
        stored = real(files, about)
        if not racing:
            racing.append(True)
            made()
        return stored

    monkeypatch.setattr(module, "write_artefact", slow_write)
    version = made()
    assert version.number == 2
    assert read_artefact(version).manifest["version"] == 2
    # The folder written under the number that was lost is gone.
    assert len(list((store / "artefacts").iterdir())) == 2


def test_registration_that_always_loses_gives_up(store, monkeypatch):
    real = module._next_number
    calls = iter(range(10**6))
    monkeypatch.setattr(module, "_next_number", lambda model: real(model) + next(calls))
    with pytest.raises(NumberTakenError, match="register again"):
        made()
    assert not list((store / "artefacts").iterdir())


def test_registrations_at_once_get_different_numbers(store):
    failures = []

    def register():
        try:
            for _ in range(3):
                module.register_version(new_version())
        except (DomainError, DatabaseError) as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=register) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert sorted(ModelVersion.objects.values_list("number", flat=True)) == list(range(1, 19))
    assert all(read_artefact(version) for version in ModelVersion.objects.select_related("model"))


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"task": "regression", "primary_metric": "rmse", "output_schema": {}}, BadVersionError),
        ({"snapshot_id": 77}, IntegrityError),
    ],
)
def test_version_the_database_refuses_leaves_no_artefact(store, changes, error):
    version = made()
    with pytest.raises(error):
        made(**changes)
    assert [path.name for path in (store / "artefacts").iterdir()] == [version.manifest_digest]
