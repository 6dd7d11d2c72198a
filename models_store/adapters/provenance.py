"""Which code and which libraries made a version."""

import os
import platform
import subprocess
import tomllib
from collections.abc import Mapping
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, distributions, version
from pathlib import Path
from typing import Any

from django.conf import settings

from features.ground.canonical import digest
from models_store.core.manifest import sha256

GIT_TIMEOUT_S = 10
LIBRARIES = ("scikit-learn", "numpy", "scipy", "pandas", "joblib", "skl2onnx", "onnx", "onnxruntime")


def code_version() -> str:
    """Return the git commit, with `+dirty` if files differ from it, or the package's version outside git."""
    found = _code(Path(settings.BASE_DIR))
    return f"{found['commit']}+dirty" if found["dirty"] else str(found["commit"] or found["version"])


def made_by() -> dict[str, dict[str, Any]]:
    """Return which code, and which environment, this process is."""
    lock = Path(settings.BASE_DIR) / "requirements.txt"
    return {
        "code": dict(_code(Path(settings.BASE_DIR))),
        "environment": {
            "digest": environment_digest(),
            "lock_digest": sha256(lock.read_bytes()) if lock.exists() else "",
            "python": platform.python_version(),
            "platform": platform.platform(),
        },
    }


@lru_cache(maxsize=8)
def _code(base: Path) -> Mapping[str, Any]:
    """Return commit, version, and what differs; once a process, which goes on running what it has loaded."""
    version = str(tomllib.loads((base / "pyproject.toml").read_text())["project"]["version"])
    commit = _git("rev-parse", "HEAD") if (base / ".git").exists() else None
    dirty = bool(commit) and _git("status", "--porcelain") != ""
    return {
        "commit": commit or "",
        "version": version,
        "dirty": dirty,
        "diff_digest": _difference(base) if dirty else "",
    }


def _difference(base: Path) -> str:
    """Return one digest of every change against the commit, new files among them."""
    new = [name for name in (_git("ls-files", "--others", "--exclude-standard", "-z") or "").split("\0") if name]
    files = {name: sha256((base / name).read_bytes()) for name in new if (base / name).is_file()}
    return digest(
        {"diff": sha256((_git("diff", "HEAD", "--binary") or "").encode(errors="surrogateescape")), "new": files}
    )


@lru_cache(maxsize=1)
def environment_digest() -> str:
    """Return one digest of the interpreter, the platform and every installed distribution."""
    installed = sorted({f"{found.name.lower()}=={found.version}" for found in distributions()})
    return digest({"python": platform.python_version(), "platform": platform.platform(), "installed": installed})


@lru_cache(maxsize=1)
def package_versions() -> dict[str, str]:
    """Return the versions of the libraries a model's answers depend on."""
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _git(*arguments: str) -> str | None:
    # Variables like GIT_DIR would make git speak of another repository.
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=settings.BASE_DIR,
            env=clean,
            capture_output=True,
            text=True,
            errors="surrogateescape",
            timeout=GIT_TIMEOUT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
