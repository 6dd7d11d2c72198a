"""Keys that are kept in files: this installation's own in development, and public ones that were trusted by command."""

import base64
import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.conf import settings

from features.ground.errors import bounded
from features.ground.files import write_atomic
from features.ground.paths import var_path
from models_store.adapters import keys
from models_store.errors import BadKeyError, BadKeyFileError, KeyKeptElsewhereError

MAX_FILE_BYTES = 64 * 1024
OWN = "its own"


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownKey:
    """A key whose signatures count here: its name, its public half, whether new artefacts get it, where it is kept."""

    key_id: str
    public_key: str
    signs: bool
    kept_in: str


def known_keys() -> list[KnownKey]:
    """Return every key this process trusts, the one that signs first."""
    own = keys.own_key_id()
    settled = {keys.key_id(keys.public_from(text, keys.IN_SETTINGS)) for text in settings.CONFIG.security.trusted_keys}
    return [
        KnownKey(
            key_id=name,
            public_key=keys.public_text(public),
            signs=name == own,
            kept_in=OWN if name == own else keys.IN_SETTINGS if name in settled else keys.IN_FILE,
        )
        for name, public in keys.trusted_keys().items()
    ]


def make_key_file(path: Path) -> str:
    """Write a new private key where no file is, readable by its owner alone; return the public key."""
    private = Ed25519PrivateKey.generate()
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(base64.b64encode(private.private_bytes_raw()) + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise BadKeyFileError(f"{bounded(str(path))} can't be made: {error.strerror or error}") from error
    return keys.public_text(private.public_key())


def read_key_file(path: Path) -> list[str]:
    """Return the public keys of a file: one a line, in base64; what follows a key, and lines with #, are remarks."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
        lines = [line.split()[0] for line in data.decode().splitlines() if line.strip() and line.strip()[0] != "#"]
    except (OSError, UnicodeDecodeError) as error:
        raise BadKeyFileError(f"{bounded(str(path))} can't be read as text: {error}") from error
    if len(data) > MAX_FILE_BYTES or not lines:
        what = f"more than {MAX_FILE_BYTES} bytes" if lines else "no key"
        raise BadKeyFileError(f"{bounded(path.name)} must hold a public key a line, got {what}")
    try:
        return [keys.public_text(keys.public_from(line, f"{path.name}: {bounded(line)!r}")) for line in lines]
    except BadKeyError as error:
        raise BadKeyFileError(error.message) from error


def keep_trusted(texts: Sequence[str]) -> list[str]:
    """Trust public keys from now on; return the names of those that were not trusted before."""
    with _alone():
        before = keys.trusted_keys()
        fresh = {keys.key_id(keys.public_from(text, keys.IN_FILE)): text for text in texts}
        fresh = {name: text for name, text in fresh.items() if name not in before}
        if fresh:
            _write(keys.TRUSTED_FILE, [*keys.kept_keys(), *fresh.values()])
        return list(fresh)


def rotate_own() -> tuple[str, str]:
    """Replace this installation's own key, and go on trusting the old one; return the names of both."""
    if not keys.is_own_key_in_file():
        raise KeyKeptElsewhereError(
            "the signing key is not kept in var/secrets/artefact_key: make another with `keys new FILE`, set it as "
            "security.signing_key (SECURITY__SIGNING_KEY) where models are trained, and add the old public key to "
            "security.trusted_keys or with `keys trust FILE`"
        )
    with _alone():
        old = keys.public_key_text()
        # First the old one is trusted: whoever is killed between the two has lost nothing.
        _write(keys.TRUSTED_FILE, [*(text for text in keys.kept_keys() if text != old), old])
        private = Ed25519PrivateKey.generate()
        _write(keys.OWN_FILE, [base64.b64encode(private.private_bytes_raw()).decode()])
    return keys.key_id(keys.public_from(old, keys.IN_FILE)), keys.key_id(private.public_key())


def _write(name: tuple[str, str], lines: Sequence[str]) -> None:
    path = var_path(*name)
    try:
        path.parent.chmod(0o700)
        write_atomic(path, "".join(f"{line}\n" for line in lines).encode(), mode=0o600)
    except OSError as error:
        raise BadKeyFileError(f"var/{'/'.join(name)} can't be written: {error.strerror or error}") from error


@contextmanager
def _alone() -> Iterator[None]:
    """Let one process at a time change what is kept."""
    with var_path("secrets", ".keys.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
