"""Secrets of a development machine: made once, kept readable by their owner alone."""

import secrets
from pathlib import Path

from features.ground.files import write_atomic


def dev_secret(var_dir: Path, name: str) -> str:
    """Return a secret kept under `var/secrets`, made on first use."""
    path = var_dir / "secrets" / name
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.parent.chmod(0o700)
        write_atomic(path, secrets.token_urlsafe(48).encode(), mode=0o600)
        # Read back: another process may have been first, and the last rename wins for all.
        return path.read_text().strip()
