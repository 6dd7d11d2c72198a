import os
import random
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from models_store.adapters import artefacts
from models_store.adapters.artefacts import StoredArtefact, read_artefact, write_artefact
from models_store.errors import (
    ArtefactCorruptError,
    ArtefactError,
    ArtefactMissingError,
    ArtefactSwappedError,
    ArtefactTooLargeError,
    ArtefactUnsignedError,
    ArtefactUntrustedError,
    ArtefactWriteError,
    BadVersionError,
)

FILES = {"model.onnx": bytes(range(256)) * 4, "model.joblib": b"pickle" * 50}


def row(stored: StoredArtefact, model: str = "flights", number: int = 1) -> SimpleNamespace:
    return SimpleNamespace(
        model=SimpleNamespace(name=model),
        number=number,
        manifest_digest=stored.manifest_digest,
        signature=stored.signature,
        key_id=stored.key_id,
    )


def written(number: int = 1) -> StoredArtefact:
    return write_artefact(FILES, {"model": "flights", "version": number, "metrics": {"rmse": 0.5}})


def folder(var: Path, stored: StoredArtefact) -> Path:
    return var / "artefacts" / stored.manifest_digest


def test_artefact_reads_back_as_written(var_dir):
    stored = written()
    found = read_artefact(row(stored))
    assert found.files == FILES
    assert found.manifest["metrics"] == {"rmse": 0.5}
    assert stored.size_bytes == sum(map(len, FILES.values()))


def test_same_bytes_again_are_the_same_artefact(var_dir):
    assert written() == written()
    assert len(list((var_dir / "artefacts").iterdir())) == 1


def test_folder_of_this_name_with_other_bytes_is_not_taken_for_the_artefact(var_dir):
    stored = written()
    (folder(var_dir, stored) / "model.onnx").write_bytes(b"other")
    with pytest.raises(ArtefactWriteError, match="can't be written"):
        written()


def test_every_bit_flip_is_refused(var_dir):
    stored, chance = written(), random.Random(7)
    files = sorted(folder(var_dir, stored).iterdir())
    for _ in range(400):
        file = chance.choice(files)
        whole = file.read_bytes()
        place, bit = chance.randrange(len(whole)), 1 << chance.randrange(8)
        file.write_bytes(whole[:place] + bytes([whole[place] ^ bit]) + whole[place + 1 :])
        with pytest.raises(ArtefactError):
            read_artefact(row(stored))
        file.write_bytes(whole)
    assert read_artefact(row(stored)).files == FILES


@pytest.mark.parametrize("name", [*FILES, "manifest.json", "manifest.sig"])
def test_truncated_file_is_refused(var_dir, name):
    stored = written()
    file = folder(var_dir, stored) / name
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises((ArtefactCorruptError, ArtefactUntrustedError), match=name):
        read_artefact(row(stored))


@pytest.mark.parametrize("name", [*FILES, "manifest.json"])
def test_missing_file_is_named(var_dir, name):
    stored = written()
    (folder(var_dir, stored) / name).unlink()
    with pytest.raises(ArtefactMissingError, match=f"{name}.*No such file"):
        read_artefact(row(stored))


def test_missing_folder_is_refused(var_dir):
    stored = written()
    shutil.rmtree(folder(var_dir, stored))
    with pytest.raises(ArtefactMissingError, match="restore it"):
        read_artefact(row(stored))


def test_longer_file_is_refused_before_it_is_read(var_dir):
    stored = written()
    with (folder(var_dir, stored) / "model.onnx").open("ab") as file:
        file.truncate(10**9)
    with pytest.raises(ArtefactCorruptError, match="may be 1024 bytes, got 1000000000"):
        read_artefact(row(stored))


def test_link_in_place_of_a_file_is_refused(var_dir):
    stored = written()
    file = folder(var_dir, stored) / "model.onnx"
    file.rename(var_dir / "elsewhere")
    file.symlink_to(var_dir / "elsewhere")
    with pytest.raises(ArtefactMissingError, match="can't be opened"):
        read_artefact(row(stored))


def test_unsigned_artefact_is_refused(var_dir):
    stored = written()
    (folder(var_dir, stored) / "manifest.sig").unlink()
    with pytest.raises(ArtefactUnsignedError, match="never signed"):
        read_artefact(row(stored))


def test_row_without_signature_is_refused(var_dir):
    version = row(written())
    version.signature = ""
    with pytest.raises(ArtefactUnsignedError, match="no signature"):
        read_artefact(version)


def test_row_with_another_signature_is_refused(var_dir):
    version = row(written())
    version.signature = row(written(2)).signature
    with pytest.raises(ArtefactUntrustedError, match="disagree"):
        read_artefact(version)


def test_versions_with_swapped_rows_are_both_refused(var_dir):
    first, second = written(1), written(2)
    with pytest.raises(ArtefactSwappedError, match="is of flights@2, not of flights@1"):
        read_artefact(row(second, number=1))
    with pytest.raises(ArtefactSwappedError):
        read_artefact(row(first, number=2))


def test_artefact_of_another_model_is_refused(var_dir):
    with pytest.raises(ArtefactSwappedError, match="not of churn@1"):
        read_artefact(row(written(), model="churn"))


def test_versions_with_swapped_files_are_both_refused(var_dir):
    first, second = written(1), written(2)
    one, two, aside = folder(var_dir, first), folder(var_dir, second), var_dir / "aside"
    one.rename(aside)
    two.rename(one)
    aside.rename(two)
    for stored, number in ((first, 1), (second, 2)):
        with pytest.raises(ArtefactCorruptError, match=r"manifest\.json was changed"):
            read_artefact(row(stored, number=number))


def test_row_that_names_a_path_is_refused(var_dir):
    version = row(written())
    version.manifest_digest = "../" * 21 + "x"
    with pytest.raises(ArtefactCorruptError, match="another form"):
        read_artefact(version)


def test_too_large_artefact_is_not_written(var_dir, configure):
    configure("model", max_artefact_mb=1)
    with pytest.raises(ArtefactTooLargeError, match="may be 1 MB"):
        write_artefact({"model.onnx": bytes(2**20 + 1)}, {"model": "flights", "version": 1})
    assert not (var_dir / "artefacts").exists() or not any((var_dir / "artefacts").iterdir())


def test_artefact_over_a_lowered_limit_is_refused(var_dir, configure):
    stored = write_artefact({"model.onnx": bytes(2**20 + 1)}, {"model": "flights", "version": 1})
    configure("model", max_artefact_mb=1)
    with pytest.raises(ArtefactTooLargeError, match="max_artefact_mb"):
        read_artefact(row(stored))


@pytest.mark.parametrize("name", ["../model", "manifest.json", "", "A", "a/b", "." * 3])
def test_file_name_that_is_not_plain_is_refused(var_dir, name):
    with pytest.raises(BadVersionError, match="can't be called"):
        write_artefact({name: b"x"}, {"model": "flights", "version": 1})


def test_artefact_of_nobody_is_refused(var_dir):
    with pytest.raises(BadVersionError, match="name its model and version"):
        write_artefact(FILES, {"model": "flights"})
    with pytest.raises(BadVersionError, match="at least one file"):
        write_artefact({}, {"model": "flights", "version": 1})


def test_failure_at_any_call_leaves_no_artefact(var_dir, monkeypatch):
    calls = {"left": 0}
    written(100)

    def failing(real):
        def call(*arguments, **options):
            calls["left"] -= 1
            if calls["left"] == 0:
                raise OSError(28, "No space left on device")
            return real(*arguments, **options)

        return call

    monkeypatch.setattr(os, "fsync", failing(os.fsync))
    monkeypatch.setattr(os, "rename", failing(os.rename))
    home = var_dir / "artefacts"
    said = []
    for step in range(1, 20):
        calls["left"] = step
        try:
            stored = written(step)
        except ArtefactWriteError as error:
            said.append(error.message)
            assert not [path for path in home.iterdir() if path.name.startswith(".new-")]
            # The very last call only makes a rename that has happened survive a power cut.
            assert all((path / "manifest.sig").exists() for path in home.iterdir())
        else:
            assert read_artefact(row(stored, number=step)).files == FILES
            break
    assert len(said) > 4
    assert all("No space left" in text for text in said)


def test_file_changed_after_its_check_does_not_reach_the_reader(var_dir, monkeypatch):
    stored = written()
    real = artefacts.manifests.check_file

    def check_then_change(name, data, entry):
        real(name, data, entry)
        (folder(var_dir, stored) / name).write_bytes(b"changed")

    monkeypatch.setattr(artefacts.manifests, "check_file", check_then_change)
    assert read_artefact(row(stored)).files == FILES


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo], ids=["folder", "pipe"])
@pytest.mark.parametrize("name", ["model.onnx", "manifest.json"])
def test_what_is_no_plain_file_is_refused_at_once(var_dir, name, make):
    stored = written()
    path = folder(var_dir, stored) / name
    path.unlink()
    make(path)
    with pytest.raises(ArtefactCorruptError, match=f"{name} must be a plain file"):
        read_artefact(row(stored))
