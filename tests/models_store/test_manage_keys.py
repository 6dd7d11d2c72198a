"""Keys made, rotated and trusted by command."""

import json
import stat

import pytest
from django.core.management import CommandError, call_command
from pydantic import SecretStr

from models_store.actions.manage_keys import new_key, rotate_key, trust_keys
from models_store.adapters import keys
from models_store.adapters.artefacts import read_artefact
from models_store.adapters.key_files import known_keys
from models_store.errors import ArtefactUntrustedError, BadKeyError, BadKeyFileError, KeyKeptElsewhereError
from models_store.models import AuditEntry, ModelVersion
from tests.faults import kill_everywhere
from tests.models_store.made import made
from tests.models_store.test_keys import pair

ACTOR = "cli:ann"


def test_old_signatures_stay_valid_after_a_rotation(store):
    made()
    before = keys.own_key_id()
    done = rotate_key(actor=ACTOR)
    assert (done.previous, done.key_ids) == (before, [keys.own_key_id()])
    made()
    versions = list(ModelVersion.objects.select_related("model").order_by("number"))
    assert [version.key_id for version in versions] == [before, done.key_ids[0]]
    assert all(read_artefact(version) for version in versions)
    assert [(key.signs, key.kept_in) for key in known_keys()] == [(True, "its own"), (False, keys.IN_FILE)]
    for name in ("artefact_key", "trusted_keys"):
        assert stat.S_IMODE((store / "secrets" / name).stat().st_mode) == 0o600
    assert AuditEntry.objects.get(action="rotate_key").after == {"previous": before}


def test_rotation_killed_at_each_write_loses_no_signature(store):
    signed = []

    def prepare(n):
        signed.append(keys.sign(b"data"))
        return {"actor": ACTOR}

    ends = []
    for kill in kill_everywhere("models_store.actions.manage_keys.rotate_key", prepare):
        for signature in signed:
            keys.verify(b"data", signature)
        keys.verify(b"new", keys.sign(b"new"))
        ends.append(keys.own_key_id() == signed[-1].key_id)
        assert len(known_keys()) == len({key.key_id for key in known_keys()}), kill
    assert set(ends) == {True, False}


def test_key_of_the_settings_is_rotated_there(store, configure):
    configure("security", signing_key=SecretStr(pair()[0]))
    with pytest.raises(KeyKeptElsewhereError, match=r"security\.signing_key"):
        rotate_key(actor=ACTOR)
    assert AuditEntry.objects.get(action="rotate_key_refused").after["code"] == "key_kept_elsewhere"


def test_trusted_key_counts_at_once_and_only_once(store, tmp_path, configure):
    private, public = pair()
    configure("security", signing_key=SecretStr(private))
    signature = keys.sign(b"data")
    configure("security", signing_key=SecretStr(""))
    with pytest.raises(ArtefactUntrustedError):
        keys.verify(b"data", signature)
    file = tmp_path / "other.pub"
    file.write_text(f"# theirs\n\n{public} the trainer in Oslo\n{public}\n")
    assert trust_keys(file, actor=ACTOR).key_ids == [signature.key_id]
    keys.verify(b"data", signature)
    assert trust_keys(file, actor=ACTOR).key_ids == []
    assert AuditEntry.objects.filter(action="trust_key").count() == 1


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "must hold a public key a line, got no key"),
        (b"# nothing\n", "got no key"),
        (b"no-key!\n", "'no-key!': must be base64"),
        (b"A" * 43 + b"=\nc2hvcnQ=\n", "must be 32 raw bytes in base64, got 5"),
        (b"\xff\xfe", "can't be read as text"),
        (b"A" * 70_000, "must hold a public key a line, got more than 65536 bytes"),
    ],
)
def test_file_with_a_fault_adds_no_key(store, tmp_path, data, said):
    file = tmp_path / "k"
    file.write_bytes(data)
    with pytest.raises(BadKeyFileError, match=said):
        trust_keys(file, actor=ACTOR)
    assert len(known_keys()) == 1


def test_new_key_is_written_for_its_owner_alone_and_replaces_nothing(store, tmp_path, configure):
    file = tmp_path / "trainer.key"
    made_key = new_key(file, actor=ACTOR)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with pytest.raises(BadKeyFileError, match="File exists"):
        new_key(file, actor=ACTOR)
    with pytest.raises(BadKeyFileError, match="No such file"):
        new_key(tmp_path / "no" / "k", actor=ACTOR)
    configure("security", signing_key=SecretStr(file.read_text()))
    assert (keys.own_key_id(), keys.public_key_text()) == (made_key.key_ids[0], made_key.public_keys[0])
    assert file.read_text().strip() not in str(list(AuditEntry.objects.values()))


def test_kept_file_that_was_spoilt_is_named(store):
    keys.own_key_id()
    (store / "secrets" / "trusted_keys").write_text("spoilt\n")
    with pytest.raises(BadKeyError, match=keys.IN_FILE):
        keys.trusted_keys()


def test_command_lists_makes_and_rotates(store, tmp_path, capsys):
    made()
    call_command("keys", "rotate", "--json")
    rotated = json.loads(capsys.readouterr().out)
    call_command("keys", "list", "--json")
    listed = json.loads(capsys.readouterr().out)["keys"]
    assert [(key["key_id"], key["signs"], key["versions"]) for key in listed] == [
        (rotated["key_ids"][0], True, 0),
        (rotated["previous"], False, 1),
    ]
    call_command("keys", "list")
    assert rotated["previous"] in capsys.readouterr().out
    call_command("keys", "new", str(tmp_path / "k"), "--json")
    assert len(json.loads(capsys.readouterr().out)["public_keys"]) == 1


@pytest.mark.parametrize("given", [("new",), ("trust",), ("list", "x"), ("rotate", "x")])
def test_command_with_a_file_too_many_or_too_few_is_refused(store, given):
    with pytest.raises(CommandError, match="FILE"):
        call_command("keys", *given)
