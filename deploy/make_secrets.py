"""Print fresh secrets in the form of a .env file; nothing is written down."""

import base64
import secrets

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


def lines() -> list[str]:
    """Return one line for each secret of .env.example."""
    private = Ed25519PrivateKey.generate()
    signing = base64.b64encode(private.private_bytes_raw()).decode()
    trusted = base64.b64encode(private.public_key().public_bytes_raw()).decode()
    drawn = {name: secrets.token_urlsafe(48) for name in ("SECRET_KEY", "JWT_SECRET")}
    drawn |= {"SECURITY__SIGNING_KEY": signing, "SECURITY__TRUSTED_KEYS": trusted}
    drawn |= {name: secrets.token_urlsafe(24) for name in ("POSTGRES_PASSWORD", "REDIS_PASSWORD")}
    return [f"{name}={value}" for name, value in drawn.items()]


if __name__ == "__main__":
    print("\n".join(lines()))
