"""Which code and which libraries made a version."""

import os
import platform
import subprocess
import tomllib
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, distributions, version
from pathlib import Path

from django.conf import settings

from features.ground.canonical import digest

GIT_TIMEOUT_S = 10
LIBRARIES = ("scikit-learn", "numpy", "scipy", "pandas", "joblib", "skl2onnx", "onnx", "onnxruntime")


def code_version() -> str:
    """Return the git commit, with `+dirty` if files differ from it, or the package's version outside git."""
    commit = _git("rev-parse", "HEAD") if (Path(settings.BASE_DIR) / ".git").exists() else None
    if commit:
        return commit if _git("status", "--porcelain") == "" else f"{commit}+dirty"
    project = tomllib.loads((Path(settings.BASE_DIR) / "pyproject.toml").read_text())
    return str(project["project"]["version"])


@lru_cache(maxsize=1)
def environment_digest() -> str:
    """Return one digest of the interpreter, the platform and every installed distribution."""
    installed = sorted({f"{found.name.lower()}=={found.version}" for found in distributions()})
    return digest({"python": platform.python_version(), "platform": platform.platform(), "installed": installed})


@lru_cache(maxsize=1)
def library_versions() -> dict[str, str]:
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
            timeout=GIT_TIMEOUT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
