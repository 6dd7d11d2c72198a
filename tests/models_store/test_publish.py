import threading

from django.db import connection

from models_store.actions.promote import promote
from models_store.actions.publish import publish_production
from models_store.actions.rollback import rollback
from models_store.models import AuditEntry, ModelVersion
from tests.models_store.made import classifier, made


def ask(spec, stage="production"):
    return promote(spec, target_stage=stage, reason="better", actor="user:ann")


def files_of(number: int) -> dict[str, bytes]:
    return {"model.onnx": classifier(float(number)), "model.joblib": b"pickle %d" % number}


def published(store) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (store / "models" / "flights" / "production").iterdir()}


def test_production_files_are_at_the_stable_path(store):
    made(files=files_of(1))
    ask("flights@1")
    assert published(store) == files_of(1)


def test_canary_is_not_published(store):
    made()
    ask("flights@1", "canary")
    assert not (store / "models" / "flights" / "production").exists()


def test_next_version_and_rollback_replace_all_files(store):
    made(files=files_of(1))
    made(files={"model.onnx": classifier(2.0)})
    ask("flights@1")
    ask("flights@2")
    assert published(store) == {"model.onnx": classifier(2.0)}
    rollback("flights", reason="worse", actor="user:ann")
    assert published(store) == files_of(1)


def test_only_the_last_two_are_kept(store):
    for number in (1, 2, 3, 4):
        made(files=files_of(number))
        ask(f"flights@{number}")
    kept = [path for path in (store / "models" / "flights").iterdir() if path.is_dir() and not path.is_symlink()]
    assert len(kept) == 2
    assert publish_production("flights") == store / "models" / "flights" / "production"
    assert published(store) == files_of(4)


def test_reader_never_sees_half_a_publication(store):
    for number in (1, 2):
        made(files=files_of(number))
    ask("flights@1")
    seen, stop = [], threading.Event()
    allowed = {(files_of(n)["model.onnx"], files_of(n)["model.joblib"]) for n in (1, 2)}

    def read():
        home = store / "models" / "flights"
        while not stop.is_set():
            folder = home / (home / "production").readlink()
            seen.append(tuple((folder / name).read_bytes() for name in ("model.onnx", "model.joblib")))

    reader = threading.Thread(target=read)
    reader.start()
    ask("flights@2")
    for to in (1, 2, 1, 2):
        rollback("flights", to=to, reason="to and fro", actor="user:ann")
    stop.set()
    reader.join()
    assert seen
    assert set(seen) <= allowed


def test_publishers_at_once_end_with_what_is_live(store):
    for number in (1, 2):
        made(files=files_of(number))
    ask("flights@1")

    def publish():
        try:
            publish_production("flights")
        finally:
            connection.close()

    threads = [threading.Thread(target=publish) for _ in range(4)]
    for thread in threads:
        thread.start()
    ask("flights@2")
    for thread in threads:
        thread.join()
    assert published(store) == files_of(2)


def test_failed_publication_is_told_and_audited_and_can_be_repeated(store):
    made(files=files_of(1))
    link = store / "models" / "flights" / "production"
    link.mkdir(parents=True)
    (link / "in the way").touch()
    done = ask("flights@1")
    assert done.state == "applied"
    assert "have not" in done.warning
    assert ModelVersion.objects.get().stage == "production"
    assert AuditEntry.objects.get(action="publish_failed").after["code"] == "artefact_not_written"
    (link / "in the way").unlink()
    link.rmdir()
    publish_production("flights")
    assert published(store) == files_of(1)


def test_promotion_stands_where_nothing_can_be_published(store):
    made()
    (store / "models").write_text("a file where the folder should be")
    done = ask("flights@1")
    assert done.state == "applied"
    assert "nothing can be published below models/flights" in done.warning
    assert AuditEntry.objects.get(action="publish_failed").after["code"] == "artefact_not_written"


def test_withdrawal_that_fails_is_told(store):
    made()
    ask("flights@1")
    link = store / "models" / "flights" / "production"
    link.unlink()
    link.mkdir()
    assert "was not taken away" in ask("flights@1", "archived").warning
