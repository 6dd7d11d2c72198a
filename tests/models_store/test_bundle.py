"""A version moved between installations, and everything that is no such bundle."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command

from models_store.actions.edit_card import edit_card
from models_store.actions.evaluate_gates import evaluate_gates
from models_store.actions.export_bundle import export_bundle
from models_store.actions.import_bundle import import_bundle
from models_store.actions.manage_keys import rotate_key, trust_keys
from models_store.adapters import artefacts, keys
from models_store.adapters.artefacts import read_artefact
from models_store.core import bundle as bundles
from models_store.core.manifest import MANIFEST_NAME, SIGNATURE_NAME
from models_store.errors import (
    ArtefactError,
    ArtefactMissingError,
    ArtefactUntrustedError,
    ArtefactWriteError,
    BadSpecError,
    BadVersionError,
    BundleRefusedError,
    UnknownVersionError,
    VersionThereError,
)
from models_store.models import AuditEntry, ModelVersion, RegisteredModel
from tests.models_store.made import made
from tests.models_store.test_same_rows import judged

ACTOR = "cli:ann"


class Elsewhere:
    """Another installation: its own run-time folder and key, and an empty registry."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.exporter = Path(folder / "exporter.pub")
        self.exporter.write_text(f"# of the exporting side\n{keys.public_key_text()} here\n")
        (folder / "elsewhere").mkdir()
        monkeypatch.setattr(settings, "VAR_DIR", folder / "elsewhere")
        ModelVersion.objects.all().delete()
        RegisteredModel.objects.all().delete()

    def trusting(self) -> None:
        """Trust the installation the bundle comes from."""
        trust_keys(self.exporter, actor=ACTOR)


@pytest.fixture
def bundle(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a bundle of a version that was registered here."""
    made(judged=judged(50), engine_reason="")
    path = tmp_path_factory.mktemp("bundle") / "flights-1.zip"
    export_bundle("flights@1", path, actor=ACTOR)
    return path


@pytest.fixture
def elsewhere(bundle: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Elsewhere:
    return Elsewhere(tmp_path_factory.mktemp("other"), monkeypatch)


def nothing_came() -> bool:
    folder = Path(settings.VAR_DIR) / "artefacts"
    return not ModelVersion.objects.exists() and not (folder.exists() and any(folder.iterdir()))


def members_of(path: Path) -> dict[str, bytes]:
    return bundles.unpack(path.read_bytes())


def test_version_arrives_as_it_was(bundle, elsewhere):
    about = json.loads(members_of(bundle)[bundles.ABOUT_NAME])
    elsewhere.trusting()
    done = import_bundle(bundle, actor="user:bob")
    assert (done.model, done.version, done.stage, done.digest) == ("flights", 1, "candidate", about["digest"])
    version = ModelVersion.objects.select_related("model").get()
    assert version.provenance["origin"] == done.origin
    assert done.origin.items() >= {"bundle": "flights-1.zip", "actor": "cli:tests"}.items()
    assert version.provenance["files"]["model.onnx"]["size"] == len(read_artefact(version).files["model.onnx"])
    assert (version.metrics["test"]["log_loss"], version.model.primary_metric) == (0.4, "log_loss")
    assert version.actor == "user:bob"
    outcomes = {found.gate: found.passed for found in evaluate_gates("flights@1", actor=ACTOR)}
    assert outcomes["artefact_verified"]
    assert outcomes["smoke_prediction_finite"]
    assert AuditEntry.objects.get(action="import_bundle").after["digest"] == done.digest
    assert AuditEntry.objects.get(action="export_bundle").actor == ACTOR


def test_model_card_travels_and_replaces_nothing(store, tmp_path_factory, monkeypatch):
    made(engine_reason="")
    made(engine_reason="")
    edit_card("flights", {"purpose": "who is late", "limits": "no charters"}, reason="agreed", actor=ACTOR)
    path = tmp_path_factory.mktemp("bundle") / "flights-2.zip"
    export_bundle("flights@2", path, actor=ACTOR)
    assert b"no charters" in members_of(path)[bundles.CARD_NAME]
    Elsewhere(tmp_path_factory.mktemp("other"), monkeypatch).trusting()
    made(engine_reason="")
    edit_card("flights", {"purpose": "staffing"}, reason="ours", actor=ACTOR)
    import_bundle(path, actor=ACTOR)
    model = RegisteredModel.objects.get()
    assert (model.purpose, model.limits) == ("staffing", "no charters")
    assert AuditEntry.objects.filter(action="import_bundle").get().after["card"] == {"limits": "no charters"}


def test_same_version_gives_the_same_bytes(bundle):
    before = bundle.read_bytes()
    assert export_bundle("flights@1", bundle, actor=ACTOR).size_bytes == len(before)
    assert bundle.read_bytes() == before


def test_bundle_of_an_unknown_signer_is_refused_until_its_key_is_trusted(bundle, elsewhere):
    with pytest.raises(ArtefactUntrustedError, match="not trusted here: add its public key with `keys trust FILE`"):
        import_bundle(bundle, actor=ACTOR)
    assert nothing_came()
    assert AuditEntry.objects.get(action="import_bundle_refused").after["code"] == "artefact_untrusted"
    elsewhere.trusting()
    assert import_bundle(bundle, actor=ACTOR).version == 1


def test_artefact_of_a_key_before_rotation_needs_both_keys(store, tmp_path_factory, monkeypatch):
    made()
    old = keys.public_key_text()
    rotate_key(actor=ACTOR)
    path = tmp_path_factory.mktemp("bundle") / "b.zip"
    export_bundle("flights@1", path, actor=ACTOR)
    other = Elsewhere(tmp_path_factory.mktemp("other"), monkeypatch)
    other.trusting()
    with pytest.raises(ArtefactUntrustedError, match="not trusted here"):
        import_bundle(path, actor=ACTOR)
    other.exporter.write_text(old)
    other.trusting()
    assert import_bundle(path, actor=ACTOR).version == 1


def test_version_that_is_there_is_named(bundle):
    with pytest.raises(VersionThereError, match="flights@1 is there already and is this very one, candidate since"):
        import_bundle(bundle, actor=ACTOR)
    assert read_artefact(ModelVersion.objects.select_related("model").get())


def test_another_version_of_the_number_is_named_and_stays(bundle, elsewhere):
    elsewhere.trusting()
    own = made()
    with pytest.raises(VersionThereError, match=f"is another one, {own.manifest_digest[:16]}"):
        import_bundle(bundle, actor=ACTOR)
    assert [path.name for path in (Path(settings.VAR_DIR) / "artefacts").iterdir()] == [own.manifest_digest]


def test_model_of_another_task_here_is_not_mixed_with(bundle, elsewhere):
    elsewhere.trusting()
    RegisteredModel.objects.create(name="flights", task="regression", primary_metric="rmse")
    with pytest.raises(BadVersionError, match="flights is a regression"):
        import_bundle(bundle, actor=ACTOR)
    assert nothing_came()


def test_every_flipped_bit_and_every_cut_is_refused(bundle, elsewhere):
    elsewhere.trusting()
    whole, chance = bundle.read_bytes(), random.Random(3)
    for turn in range(500):
        data = bytearray(whole)
        if turn % 5:
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        else:
            data = data[: chance.randrange(len(data))]
        bundle.write_bytes(bytes(data))
        with pytest.raises(ArtefactError):
            import_bundle(bundle, actor=ACTOR)
    assert nothing_came()
    bundle.write_bytes(whole)
    assert import_bundle(bundle, actor=ACTOR).version == 1


def resigned(path: Path, **changes: Any) -> None:
    """Write a bundle anew whose text says something else, signed by a key that is trusted."""
    members = members_of(path)
    said = json.loads(members[bundles.ABOUT_NAME]) | changes
    rest = {name: data for name, data in members.items() if name not in (bundles.ABOUT_NAME, bundles.ABOUT_SIGNATURE)}
    about = bundles.about_bundle(rest, {name: value for name, value in said.items() if value is not None})
    signature = keys.signature_text(keys.sign(about))
    path.write_bytes(bundles.pack({**rest, bundles.ABOUT_NAME: about, bundles.ABOUT_SIGNATURE: signature}))


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"model": "other"}, ArtefactError),
        ({"version": 2}, ArtefactError),
        ({"primary_metric": None}, BundleRefusedError),
        ({"primary_metric": "luck"}, BadVersionError),
        ({"engine_reason": None}, BundleRefusedError),
    ],
)
def test_trusted_signer_who_says_something_else_is_refused(bundle, changes, error):
    resigned(bundle, **changes)
    ModelVersion.objects.all().delete()
    with pytest.raises(error):
        import_bundle(bundle, actor=ACTOR)
    assert not ModelVersion.objects.exists()


def test_members_that_are_not_listed_or_left_out_are_refused(bundle):
    members = members_of(bundle)
    for changed in ({**members, "extra.bin": b"x"}, {n: d for n, d in members.items() if n != "model.joblib"}):
        bundle.write_bytes(bundles.pack(changed))
        with pytest.raises(BundleRefusedError, match="not those it lists"):
            import_bundle(bundle, actor=ACTOR)


def test_artefact_signed_by_nobody_trusted_is_refused_though_the_bundle_is(bundle, tmp_path, monkeypatch):
    """Somebody with a trusted key can't pass on what another has made."""
    members = members_of(bundle)
    with monkeypatch.context() as patch:
        patch.setattr(settings, "VAR_DIR", tmp_path / "stranger")
        foreign = keys.signature_text(keys.sign(members[MANIFEST_NAME]))
    bundle.write_bytes(bundles.pack({**members, SIGNATURE_NAME: foreign}))
    resigned(bundle)
    with pytest.raises(ArtefactUntrustedError, match="not trusted here"):
        import_bundle(bundle, actor=ACTOR)


def test_bundle_signed_by_nobody_trusted_is_refused_though_its_artefact_is(bundle, elsewhere, tmp_path, monkeypatch):
    """Somebody who has got hold of an artefact can't say whose it is."""
    elsewhere.trusting()
    with monkeypatch.context() as patch:
        patch.setattr(settings, "VAR_DIR", tmp_path / "stranger")
        resigned(bundle, actor="user:stranger")
    with pytest.raises(ArtefactUntrustedError, match="not trusted here"):
        import_bundle(bundle, actor=ACTOR)
    assert nothing_came()


def test_import_that_fails_to_write_leaves_nothing(bundle, elsewhere, monkeypatch):
    elsewhere.trusting()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(artefacts.os, "fsync", full)
    with pytest.raises(ArtefactWriteError, match="No space left"):
        import_bundle(bundle, actor=ACTOR)
    monkeypatch.undo()
    assert not ModelVersion.objects.exists()


@pytest.mark.parametrize(
    ("spec", "error"), [("flights@9", UnknownVersionError), ("flights", BadSpecError), ("../x@1", BadSpecError)]
)
def test_export_of_what_is_not_there_is_refused(bundle, tmp_path, spec, error):
    with pytest.raises(error):
        export_bundle(spec, tmp_path / "x.zip", actor=ACTOR)
    assert not (tmp_path / "x.zip").exists()
    assert AuditEntry.objects.filter(action="export_bundle_refused").exists()


def test_export_of_a_damaged_version_and_into_no_folder_is_refused(bundle, store, tmp_path):
    with pytest.raises(ArtefactWriteError, match="is no folder"):
        export_bundle("flights@1", tmp_path / "no" / "x.zip", actor=ACTOR)
    (store / "artefacts" / ModelVersion.objects.get().manifest_digest / "model.onnx").unlink()
    with pytest.raises(ArtefactMissingError):
        export_bundle("flights@1", tmp_path / "x.zip", actor=ACTOR)


def test_command_moves_a_version(bundle, elsewhere, capsys):
    elsewhere.trusting()
    call_command("bundle", "import", str(bundle), "--json")
    said = json.loads(capsys.readouterr().out)
    assert said.items() >= {"model": "flights", "version": 1, "stage": "candidate"}.items()
    call_command("bundle", "export", "flights@1", str(bundle), "--json")
    assert json.loads(capsys.readouterr().out)["digest"] == said["digest"]
