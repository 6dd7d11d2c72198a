"""Secrets of a development machine: made once, kept readable by their owner alone."""

import os
import secrets
import tempfile
from pathlib import Path

from features.ground.files import fsync_folder


def dev_secret(var_dir: Path, name: str, size: int = 48) -> str:
    """Return a secret kept under `var/secrets`, made on first use from so many random bytes."""
    path = var_dir / "secrets" / name
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.parent.chmod(0o700)
        _make(path, size)
    return path.read_text().strip()


def _make(path: Path, size: int) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_urlsafe(size))
            file.flush()
            os.fsync(file.fileno())
        # A link never replaces: of two processes that start at once, both use the first one's secret.
        os.link(temporary, path)
    except FileExistsError:
        return
    finally:
        Path(temporary).unlink()
    fsync_folder(path.parent)
