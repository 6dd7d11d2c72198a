"""Ed25519 keys: whoever trains signs with the private one, whoever serves holds the public ones."""

import base64
import binascii
import hashlib
import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from django.conf import settings

from features.ground.files import fsync_folder
from features.ground.paths import var_path
from models_store.errors import ArtefactUntrustedError, BadKeyError, NoSigningKeyError

RAW_BYTES = 32
OWN_FILE = ("secrets", "artefact_key")
TRUSTED_FILE = ("secrets", "trusted_keys")
IN_SETTINGS = "security.trusted_keys (SECURITY__TRUSTED_KEYS)"
IN_FILE = "var/secrets/trusted_keys"


@dataclass(frozen=True, kw_only=True, slots=True)
class Signature:
    """A signature, and which key made it."""

    key_id: str
    value: str


def key_id(public: Ed25519PublicKey) -> str:
    """Return the short name of a public key."""
    return hashlib.sha256(public.public_bytes_raw()).hexdigest()[:32]


def signature_text(signature: Signature) -> bytes:
    """Return a signature as a file holds it."""
    return f"ed25519 {signature.key_id} {signature.value}\n".encode()


def parse_signature(data: bytes) -> Signature:
    """Read what `signature_text` wrote."""
    found = re.fullmatch(rb"ed25519 ([0-9a-f]{32}) ([A-Za-z0-9+/]{86}==)\n", data)
    if found is None:
        raise ArtefactUntrustedError("the signature has another form: it was changed, or is not of this project")
    return Signature(key_id=found[1].decode(), value=found[2].decode())


def sign(data: bytes) -> Signature:
    """Sign the bytes with this process's private key."""
    private = _private_key()
    if private is None:
        raise NoSigningKeyError(
            "this process holds no private key, so it can verify artefacts and not sign them: "
            "set security.signing_key (SECURITY__SIGNING_KEY) where models are trained or registered"
        )
    value = base64.b64encode(private.sign(data)).decode()
    return Signature(key_id=key_id(private.public_key()), value=value)


def verify(data: bytes, signature: Signature) -> None:
    """Refuse bytes that no trusted key has signed."""
    public = trusted_keys().get(signature.key_id)
    if public is None:
        raise ArtefactUntrustedError(
            f"signed by the key {signature.key_id!r}, which is not trusted here: "
            "add its public key with `keys trust FILE`, or to security.trusted_keys (SECURITY__TRUSTED_KEYS)",
            key_id=signature.key_id,
        )
    try:
        public.verify(base64.b64decode(signature.value, validate=True), data)
    except (InvalidSignature, binascii.Error, ValueError) as error:
        raise ArtefactUntrustedError(
            "the signature does not fit the manifest: one of them was changed", key_id=signature.key_id
        ) from error


def trusted_keys() -> dict[str, Ed25519PublicKey]:
    """Return every public key this process trusts by its id, its own first."""
    private = _private_key()
    keys = [private.public_key()] if private else []
    keys += [public_from(text, IN_SETTINGS) for text in settings.CONFIG.security.trusted_keys]
    keys += [public_from(text, IN_FILE) for text in kept_keys()]
    if not keys:
        raise BadKeyError(
            "no key to verify artefacts with: set security.trusted_keys (SECURITY__TRUSTED_KEYS), "
            "a list of base64 raw Ed25519 public keys"
        )
    return {key_id(public): public for public in keys}


def public_key_text() -> str:
    """Return this process's own public key in the form `security.trusted_keys` takes."""
    private = _private_key()
    if private is None:
        raise NoSigningKeyError("this process holds no private key, so it has no public key of its own")
    return public_text(private.public_key())


def public_text(public: Ed25519PublicKey) -> str:
    """Return a public key in base64."""
    return base64.b64encode(public.public_bytes_raw()).decode()


def own_key_id() -> str:
    """Return the name of the key this process signs with; nothing, where it signs nothing."""
    private = _private_key()
    return key_id(private.public_key()) if private else ""


def is_own_key_in_file() -> bool:
    """Tell whether this process signs with a key of its run-time folder, and not of its settings."""
    return not settings.CONFIG.security.signing_key.get_secret_value() and bool(own_key_id())


def _private_key() -> Ed25519PrivateKey | None:
    security = settings.CONFIG.security
    if text := security.signing_key.get_secret_value():
        return Ed25519PrivateKey.from_private_bytes(_raw(text, "security.signing_key (SECURITY__SIGNING_KEY)"))
    if settings.CONFIG.app_env == "dev" and not security.trusted_keys:
        try:
            return Ed25519PrivateKey.from_private_bytes(_dev_key(var_path(*OWN_FILE)))
        except OSError as error:
            raise BadKeyError(f"var/secrets/artefact_key can't be used: {error.strerror or error}") from error
    return None


def public_from(text: str, where: str) -> Ed25519PublicKey:
    """Return the public key in a text, or say where a text is that holds none."""
    return Ed25519PublicKey.from_public_bytes(_raw(text, where))


def kept_keys() -> list[str]:
    """Return the keys that were trusted by command, or were this installation's own before a rotation."""
    try:
        # Not by `var_path`: who only reads makes no folder.
        return Path(settings.VAR_DIR, *TRUSTED_FILE).read_text().split()
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise BadKeyError(f"{IN_FILE} can't be read: {error}") from error


def _raw(text: str, setting: str) -> bytes:
    try:
        raw = base64.b64decode(text.strip(), validate=True)
    except ValueError as error:
        raise BadKeyError(f"{setting}: must be base64 of a raw {RAW_BYTES}-byte Ed25519 key") from error
    if len(raw) != RAW_BYTES:
        raise BadKeyError(f"{setting}: must be {RAW_BYTES} raw bytes in base64, got {len(raw)} bytes")
    return raw


def _dev_key(path: Path) -> bytes:
    try:
        return _raw(path.read_text(), str(path.name))
    except FileNotFoundError:
        path.parent.chmod(0o700)
        text = base64.b64encode(Ed25519PrivateKey.generate().private_bytes_raw())
        _write_once(path, text)
        # Read back: of several processes starting together, the first one's key is everybody's.
        return _raw(path.read_text(), str(path.name))


def _write_once(path: Path, data: bytes) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # readable by the owner alone
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(path).hardlink_to(temporary)
    except FileExistsError:
        return
    finally:
        Path(temporary).unlink()
    fsync_folder(path.parent)
