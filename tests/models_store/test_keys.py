import base64
import stat
import subprocess
import sys

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.conf import settings
from pydantic import SecretStr

from models_store.adapters import keys
from models_store.errors import ArtefactUntrustedError, BadKeyError, NoSigningKeyError


def pair() -> tuple[str, str]:
    private = Ed25519PrivateKey.generate()
    texts = (private.private_bytes_raw(), private.public_key().public_bytes_raw())
    return tuple(base64.b64encode(raw).decode() for raw in texts)


def test_dev_key_is_made_once_and_readable_by_its_owner_alone(var_dir):
    first = keys.sign(b"data")
    assert keys.sign(b"data") == first
    file = var_dir / "secrets" / "artefact_key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    keys.verify(b"data", first)


def test_processes_that_start_together_share_one_key(var_dir):
    code = "import django; django.setup(); from models_store.adapters import keys; print(keys.public_key_text())"
    environ = {
        "VAR_DIR": str(var_dir),
        "DJANGO_SETTINGS_MODULE": "mlsite.settings",
        "PATH": "/usr/bin",
        "PYTHONPATH": str(settings.BASE_DIR),
    }
    running = [
        subprocess.Popen([sys.executable, "-c", code], env=environ, stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    assert len({process.communicate()[0] for process in running}) == 1


def test_wrong_bytes_are_refused(var_dir):
    signature = keys.sign(b"data")
    with pytest.raises(ArtefactUntrustedError, match="does not fit"):
        keys.verify(b"other", signature)


def test_signature_that_is_not_base64_is_refused(var_dir):
    with pytest.raises(ArtefactUntrustedError, match="does not fit"):
        keys.verify(b"data", keys.Signature(key_id=keys.sign(b"data").key_id, value="!"))


def test_process_with_public_keys_alone_verifies_and_does_not_sign(var_dir, configure):
    private, public = pair()
    configure("security", signing_key=SecretStr(private))
    signature = keys.sign(b"data")
    configure("security", signing_key=SecretStr(""), trusted_keys=[public])
    keys.verify(b"data", signature)
    with pytest.raises(NoSigningKeyError, match=r"security\.signing_key"):
        keys.sign(b"data")
    with pytest.raises(NoSigningKeyError):
        keys.public_key_text()
    assert not (var_dir / "secrets").exists()


def test_old_signature_stays_valid_after_rotation(var_dir, configure):
    old, old_public = pair()
    configure("security", signing_key=SecretStr(old))
    signature = keys.sign(b"data")
    configure("security", signing_key=SecretStr(pair()[0]), trusted_keys=[old_public])
    keys.verify(b"data", signature)
    assert keys.sign(b"data").key_id != signature.key_id


def test_signature_by_an_unknown_key_is_refused(var_dir, configure):
    configure("security", signing_key=SecretStr(pair()[0]))
    signature = keys.sign(b"data")
    configure("security", signing_key=SecretStr(pair()[0]))
    with pytest.raises(ArtefactUntrustedError, match="not trusted here"):
        keys.verify(b"data", signature)


@pytest.mark.parametrize("text", ["not base64!", base64.b64encode(b"short").decode()])
def test_key_that_is_no_key_is_named_by_its_setting(var_dir, configure, text):
    configure("security", trusted_keys=[text])
    with pytest.raises(BadKeyError, match=r"security\.trusted_keys"):
        keys.trusted_keys()


def test_process_without_any_key_says_so_outside_dev(var_dir, monkeypatch):
    monkeypatch.setattr(settings, "CONFIG", settings.CONFIG.model_copy(update={"app_env": "prod"}))
    with pytest.raises(BadKeyError, match="no key to verify"):
        keys.trusted_keys()
    with pytest.raises(NoSigningKeyError):
        keys.sign(b"data")


def test_dev_key_that_cannot_be_kept_is_told(var_dir):
    (var_dir / "secrets" / "artefact_key").mkdir(parents=True)
    with pytest.raises(BadKeyError, match="artefact_key can't be used: Is a directory"):
        keys.sign(b"data")
