"""A thousand damaged artefacts: each is refused, and the version before answers on."""

import base64
import os
import random
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.conf import settings

from features.ground.errors import DomainError
from models_store.adapters import keys
from models_store.adapters.artefacts import read_artefact
from models_store.errors import ArtefactError
from models_store.models import ModelVersion
from predictions import engine
from predictions.actions.predict import PredictRequest, predict
from predictions.adapters.loading import load_version
from tests.models_store.made import Calls
from tests.predictions.conftest import Configure
from tests.predictions.tiny import ROW, register, staged

SIGNED = ("manifest_digest", "signature", "key_id")


def home(version: ModelVersion) -> Path:
    return Path(settings.VAR_DIR) / "artefacts" / version.manifest_digest


def answer() -> tuple[int, Any]:
    said = predict(PredictRequest(principal="cli:test", request_id="r", model="tiny", rows=[ROW]))
    return said.version, said.probabilities


Damage = Callable[[random.Random, ModelVersion, ModelVersion], object]


def a_file(chance: random.Random, version: ModelVersion) -> Path:
    return chance.choice(sorted(home(version).iterdir()))


def flip(chance: random.Random, version: ModelVersion, other: ModelVersion) -> None:
    path = a_file(chance, version)
    data = bytearray(path.read_bytes())
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    path.write_bytes(data)


def truncate(chance: random.Random, version: ModelVersion, other: ModelVersion) -> None:
    path = a_file(chance, version)
    os.truncate(path, chance.randrange(path.stat().st_size))


def extend(chance: random.Random, version: ModelVersion, other: ModelVersion) -> None:
    with a_file(chance, version).open("ab") as file:
        file.write(chance.randbytes(chance.randrange(1, 100)))


def remove(chance: random.Random, version: ModelVersion, other: ModelVersion) -> None:
    a_file(chance, version).unlink()


def remove_all(chance: random.Random, version: ModelVersion, other: ModelVersion) -> None:
    shutil.rmtree(home(version))


def swap_file(chance: random.Random, version: ModelVersion, other: ModelVersion) -> None:
    path = a_file(chance, version)
    shutil.copy(home(other) / path.name, path)


def swap_folder(chance: random.Random, version: ModelVersion, other: ModelVersion) -> None:
    shutil.rmtree(home(version))
    shutil.copytree(home(other), home(version))


def swap_row(chance: random.Random, version: ModelVersion, other: ModelVersion) -> None:
    """Give the version one, two or all of what the other's row says of its artefact."""
    taken = chance.sample(SIGNED[:2], chance.choice((1, 2)))
    ModelVersion.objects.filter(pk=version.pk).update(**{name: getattr(other, name) for name in taken})


def link(chance: random.Random, version: ModelVersion, other: ModelVersion) -> None:
    path = a_file(chance, version)
    path.unlink()
    path.symlink_to(home(other) / path.name)


def sign_with(version: ModelVersion, own_name: bool) -> None:
    """Sign the manifest anew with a key nobody trusts, under its own name or under that of ours."""
    private = Ed25519PrivateKey.generate()
    name = keys.key_id(private.public_key()) if own_name else version.key_id
    value = base64.b64encode(private.sign((home(version) / "manifest.json").read_bytes())).decode()
    (home(version) / "manifest.sig").write_text(f"ed25519 {name} {value}\n")
    ModelVersion.objects.filter(pk=version.pk).update(signature=value, key_id=name)


def wrong_key(chance: random.Random, version: ModelVersion, other: ModelVersion) -> None:
    sign_with(version, own_name=chance.random() < 0.5)


def hostile(chance: random.Random, version: ModelVersion, other: ModelVersion) -> None:
    """Put a pickle that runs a command in the place of the model, as long as what was there."""
    import pickle

    path = home(version) / "model.joblib"
    call = pickle.dumps(Calls(os.system, f"touch {settings.VAR_DIR}/ran"))
    path.write_bytes(call + bytes(max(path.stat().st_size - len(call), 0)))


OFTEN = (flip,) * 8 + (truncate,) * 3
ONCE = (extend, remove, remove_all, swap_file, swap_folder, swap_row, link, wrong_key, hostile)
DAMAGES: tuple[Damage, ...] = (*OFTEN, *ONCE)


@contextmanager
def damaged(damage: Damage, chance: random.Random, version: ModelVersion, other: ModelVersion) -> Iterator[None]:
    """Damage a version, and put all back as it was."""
    whole = home(version).parent.parent / "whole"
    shutil.copytree(home(version), whole)
    try:
        damage(chance, version, other)
        yield
    finally:
        shutil.rmtree(home(version), ignore_errors=True)
        whole.rename(home(version))
        ModelVersion.objects.filter(pk=version.pk).update(**{name: getattr(version, name) for name in SIGNED})


@pytest.mark.parametrize(("kind", "rounds"), [("onnx", 900), ("sklearn", 100)])
def test_every_damage_is_refused_and_the_old_version_answers(
    serving: None, configure: Configure, kind: str, rounds: int
) -> None:
    configure(model__retry_delay=0.0)
    configure(model__retries=10_000)
    staged(engine=kind)
    before = answer()
    assert before[0] == 1
    version, other = staged(seed=1, engine=kind), register(seed=2, engine=kind)
    chance, refused = random.Random(11), 0
    for _ in range(rounds):
        with damaged(chance.choice(DAMAGES), chance, version, other):
            engine.refresh()
            (status,) = engine.status()
            assert status.error.startswith("tiny@2: ")
            assert answer() == before
            with pytest.raises(ArtefactError):
                read_artefact(ModelVersion.objects.select_related("model").get(pk=version.pk))
            refused += 1
    assert refused == rounds
    assert not (Path(settings.VAR_DIR) / "ran").exists()
    engine.refresh()
    assert answer()[0] == 2


_watching: list[Callable[[Path], None]] = []


def _heard(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and _watching and isinstance(arguments[0], str | Path):
        for watch in _watching:
            watch(Path(arguments[0]))


sys.addaudithook(_heard)  # none can be taken out again; it looks only while a test watches


@pytest.mark.parametrize("kind", ["onnx", "sklearn"])
def test_each_file_is_opened_once_and_a_later_one_reaches_nobody(serving: None, kind: str) -> None:
    """Whoever swaps a file between its check and its use finds that nobody reads it again."""
    version = register(engine=kind)
    expected = read_artefact(version).files
    opened: list[str] = []

    def swap(path: Path) -> None:
        if path.parent == home(version):
            for name in opened:
                # What was read is swapped as soon as the next file is asked for.
                aside = path.parent.with_suffix(".aside")
                aside.write_bytes(b"swapped")
                aside.replace(path.parent / name)
            opened.append(path.name)

    _watching.append(swap)
    try:
        loaded = load_version(version)
    finally:
        _watching.clear()
    assert sorted(opened) == sorted({*expected, "manifest.json", "manifest.sig"})
    assert loaded.runtime.score is not None
    with pytest.raises(DomainError):
        load_version(version)
