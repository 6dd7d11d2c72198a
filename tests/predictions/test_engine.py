"""Versions load beside the old ones; what can't be loaded leaves the old one answering."""

import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client

from features.ground.errors import DomainError
from models_store.actions.promote import promote
from models_store.errors import UnknownModelError
from models_store.models import ModelVersion, RegisteredModel
from predictions import engine
from predictions.actions.predict import PredictAnswer, PredictRequest, predict
from predictions.errors import ModelLoadError, ModelNotReadyError
from tests.predictions.conftest import Configure
from tests.predictions.tiny import ROW, register, staged


def ask(model: str = "tiny", request_id: str = "r") -> PredictAnswer:
    return predict(PredictRequest(principal="cli:test", request_id=request_id, model=model, rows=[ROW]))


def artefact(version: ModelVersion) -> Path:
    return Path(settings.VAR_DIR) / "artefacts" / version.manifest_digest


def flip_a_byte(version: ModelVersion) -> None:
    path = artefact(version) / "model.onnx"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(bytes(data))


def test_a_corrupt_artefact_leaves_the_old_version_answering(serving: None, configure: Configure) -> None:
    staged()
    assert ask().version == 1
    second = staged(seed=1)
    flip_a_byte(second)
    engine.refresh()
    assert ask().version == 1
    (status,) = engine.status()
    assert (status.version, status.name) == (1, "tiny")
    assert status.error.startswith("tiny@2: ")


def test_a_failed_load_is_tried_again_and_succeeds_when_the_file_is_back(serving: None, configure: Configure) -> None:
    configure(model__retry_delay=0.0)
    staged()
    engine.refresh()
    second = staged(seed=1)
    shutil.move(artefact(second), artefact(second).with_suffix(".away"))
    engine.refresh()
    assert ask().version == 1
    shutil.move(artefact(second).with_suffix(".away"), artefact(second))
    engine.refresh()
    assert ask().version == 2
    assert engine.status()[0].error == ""


def test_a_failed_load_waits_for_its_delay(serving: None, configure: Configure) -> None:
    configure(model__retry_delay=300.0)
    version = staged()
    away = artefact(version).with_suffix(".away")
    shutil.move(artefact(version), away)
    with pytest.raises(ModelNotReadyError, match="no production version of tiny is loaded: tiny@1: "):
        ask()
    shutil.move(away, artefact(version))
    engine.refresh()
    with pytest.raises(ModelNotReadyError):
        ask()


def test_a_broken_canary_leaves_production_answering(serving: None) -> None:
    staged()
    canary = staged("canary", seed=1, percent=100)
    flip_a_byte(canary)
    assert ask().role == "production"


def test_a_canary_gets_its_share_and_no_more(serving: None) -> None:
    staged()
    staged("canary", seed=1, percent=30)
    roles = [ask().role for _ in range(300)]
    assert 50 < roles.count("canary") < 130


def test_a_client_can_not_choose_its_side(serving: None) -> None:
    staged()
    staged("canary", seed=1, percent=50)
    assert {ask(request_id="mine").role for _ in range(60)} == {"production", "canary"}


def test_a_change_of_percent_is_followed(serving: None) -> None:
    staged()
    staged("canary", seed=1, percent=1)
    engine.refresh()
    promote("tiny@2", target_stage="canary", percent=100, reason="more", actor="cli:test")
    engine.refresh()
    assert ask().role == "canary"


def test_an_archived_production_version_stops_answering(serving: None) -> None:
    staged()
    assert ask().version == 1
    RegisteredModel.objects.update(generation=9)
    ModelVersion.objects.update(stage="archived")
    engine.refresh()
    with pytest.raises(ModelNotReadyError, match="promote a version first"):
        ask()


def test_a_model_that_is_gone_is_forgotten(serving: None) -> None:
    version = register()
    engine.refresh()
    version.delete()
    RegisteredModel.objects.all().delete()
    engine.refresh()
    with pytest.raises(UnknownModelError):
        ask()


def test_a_version_by_number_is_loaded_once_and_kept(serving: None) -> None:
    staged()
    register(seed=1)
    assert engine.version("tiny", 2) is engine.version("tiny", 2)
    assert engine.version("tiny", 1) is engine.serving("tiny").production


def test_a_version_of_a_new_model_is_found_by_a_process_that_does_not_poll(serving: None) -> None:
    staged()
    engine.refresh()
    register("later")
    assert engine.version("later", 1).model == "later"
    with pytest.raises(UnknownModelError):
        engine.version("never", 1)


def test_few_versions_by_number_are_kept(serving: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "PINNED_KEPT", 1)
    for seed in (0, 1):
        register(seed=seed)
    first = engine.version("tiny", 1)
    engine.version("tiny", 2)
    assert engine.version("tiny", 1) is not first


def test_a_version_by_number_that_is_corrupt_is_an_error(serving: None) -> None:
    flip_a_byte(register())
    with pytest.raises(ModelLoadError, match="tiny@1 can't be loaded"):
        engine.version("tiny", 1)


def test_the_sklearn_engine_answers_as_the_graph_does(serving: None) -> None:
    register()
    register(engine="sklearn")
    ours, theirs = (
        predict(PredictRequest(principal="cli:test", request_id="r", model="tiny", version=number, rows=[ROW]))
        for number in (1, 2)
    )
    assert ours.predictions == theirs.predictions
    assert ours.probabilities
    assert theirs.probabilities
    assert abs(ours.probabilities[0][0] - theirs.probabilities[0][0]) < 1e-5


@pytest.fixture
def polling(serving: None, configure: Configure) -> Iterator[None]:
    configure(model__poll_seconds=0.02)
    engine.start()
    yield
    engine.stop()


def wait_for(version: int) -> None:
    deadline = time.monotonic() + 20
    while engine.serving("tiny").production is None or ask().version != version:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_polling_process_follows_promotions_without_a_failed_request(polling: None) -> None:
    staged()
    engine.refresh()
    failures: list[DomainError] = []
    stop = threading.Event()

    def load() -> None:
        while not stop.is_set():
            try:
                ask()
            except DomainError as error:
                failures.append(error)

    asking = threading.Thread(target=load)
    asking.start()
    try:
        for seed in (1, 2):
            version = staged(seed=seed)
            wait_for(version.number)
    finally:
        stop.set()
        asking.join()
    assert failures == []


def test_models_asked_longest_ago_make_room(serving: None, configure: Configure) -> None:
    for name in ("a", "b", "c"):
        staged(name=name)
    engine.refresh()
    size = engine.serving("a").loaded[0].size_bytes
    engine.stop()
    configure(model__max_memory_mb=2.5 * size / 1_048_576)
    ask(model="b")
    ask(model="c")
    ask(model="a")
    awake = [found.asleep is None for found in map(engine._engine._table.__getitem__, "abc")]
    assert awake == [True, False, True]
    assert {status.name: status.version for status in engine.status()} == {"a": 1, "b": 1, "c": 1}
    assert ask(model="b").version == 1
    engine.refresh()
    awake = [found.asleep is None for found in map(engine._engine._table.__getitem__, "abc")]
    assert awake == [True, True, False]


def test_a_sleeping_model_follows_its_promotions(serving: None, configure: Configure) -> None:
    staged(name="a")
    staged(name="b")
    configure(model__max_memory_mb=0.0001)
    assert (ask(model="a").version, ask(model="b").version) == (1, 1)
    staged(name="a", seed=1)
    engine.refresh()
    assert ask(model="a").version == 2


def test_versions_asked_by_number_are_let_go_first(serving: None, configure: Configure) -> None:
    staged(name="a")
    register("a", seed=1)
    engine.refresh()
    configure(model__max_memory_mb=1.5 * engine.serving("a").loaded[0].size_bytes / 1_048_576)
    assert engine.version("a", 2).number == 2
    assert engine._engine._pinned == {}
    assert engine.serving("a").asleep is None


def test_a_model_s_page_says_what_is_loaded_and_what_could_not_be(serving: None, client: Client) -> None:
    version = staged()
    engine.refresh()
    broken = register("tiny", seed=1)
    shutil.rmtree(Path(settings.VAR_DIR) / "artefacts" / broken.manifest_digest)
    ModelVersion.objects.filter(pk=broken.pk).update(stage="shadow")
    RegisteredModel.objects.update(generation=9)
    engine.refresh()
    client.force_login(User.objects.create_superuser("root"))
    page = client.get(f"/admin/models_store/registeredmodel/{version.model_id}/change/").content.decode()
    assert "Loaded in this process" in page
    assert "@1, onnx" in page
    assert "tiny@2: " in page
