"""The form of an API key: a public part to find it by, and a secret part of which only a hash is kept."""

import hashlib
import hmac
import re
from dataclasses import dataclass

BEGINNING = "mlk_"
FORM = re.compile(r"mlk_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyParts:
    """The two parts of a key."""

    prefix: str
    secret: str


def split_key(text: str) -> KeyParts | None:
    """Return the parts of a key.

    Parameters
    ----------
    text : str
        What a client sent.

    Returns
    -------
    KeyParts or None
        None if it has not the form of a key.
    """
    found = FORM.fullmatch(text)
    return KeyParts(prefix=found[1], secret=found[2]) if found else None


def secret_hash(secret: str) -> str:
    """Return what is kept of a secret: 32 random bytes need no slow hash.

    Parameters
    ----------
    secret : str
        The secret part.

    Returns
    -------
    str
        sha256, hexadecimal.
    """
    return hashlib.sha256(secret.encode()).hexdigest()


def is_secret(secret: str, kept: str) -> bool:
    """Tell whether a secret is the one a hash was kept of, in the same time whatever it is.

    Parameters
    ----------
    secret : str
        As it came.
    kept : str
        The hash.

    Returns
    -------
    bool
        Whether it is.
    """
    return hmac.compare_digest(secret_hash(secret), kept)
