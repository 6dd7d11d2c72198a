"""A child process for files whose opening may run code: no network, no secrets, little memory and time."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings

from features.ground.errors import bounded
from models_store.errors import ModelFileError, ModelFileRefusedError

TIMEOUT_S = 300
CPU_S = 90
MEMORY_BYTES = 4 * 1024**3
ANSWER_BYTES = 64 * 1024 * 1024
CHILD = "models_store.adapters.child"


@dataclass(frozen=True, kw_only=True, slots=True)
class ChildAnswer:
    """What the child said, and the files it made, neither of them trusted as code."""

    values: dict[str, Any]
    files: dict[str, bytes]


def ask_child(errand: str, request: Mapping[str, Any], model: bytes) -> ChildAnswer:
    """Send the child on an errand with a model's bytes and return what it answered."""
    with tempfile.TemporaryDirectory(prefix="model-") as name:  # readable by the owner alone
        folder = Path(name)
        limits = {"memory_bytes": MEMORY_BYTES, "cpu_s": CPU_S, "file_bytes": _file_limit()}
        (folder / "request.json").write_text(json.dumps({**request, "limits": limits}))
        (folder / "model.bin").write_bytes(model)
        _run(errand, folder)
        return _answer(folder)


def _run(errand: str, folder: Path) -> None:
    log = folder / "stderr.txt"
    try:
        with log.open("wb") as errors:
            done = subprocess.run(
                [*_without_network(), sys.executable, "-s", "-B", "-m", f"{CHILD}.{errand}", str(folder)],
                cwd=settings.BASE_DIR,
                env=_environment(folder),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                timeout=TIMEOUT_S,
                check=False,
                close_fds=True,
                start_new_session=True,
            )
    except subprocess.TimeoutExpired as error:
        raise ModelFileRefusedError(f"the model file was still being opened after {TIMEOUT_S} s") from error
    if not (folder / "answer.json").exists():
        lines = log.read_bytes()[-4000:].decode(errors="replace").strip().splitlines()
        raise ModelFileRefusedError(
            f"the child process that opened the model file ended with {done.returncode}: "
            f"{bounded(lines[-1] if lines else 'over its memory or time', 300)}"
        )


def _environment(folder: Path) -> dict[str, str]:
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "LANG": "C.UTF-8",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONHASHSEED": "0",
        "DO_NOT_TRACK": "1",
    }


def _file_limit() -> int:
    return max(int(settings.CONFIG.model.max_artefact_mb) * 1024 * 1024, ANSWER_BYTES)


@lru_cache(maxsize=1)
def _without_network() -> tuple[str, ...]:
    """Return the prefix that gives the child a network of its own with nothing in it, where the kernel allows."""
    prefix = ("unshare", "--user", "--map-root-user", "--net", "--")
    try:
        done = subprocess.run([*prefix, "true"], capture_output=True, timeout=10, check=False)
    except (OSError, subprocess.SubprocessError):
        return ()
    return prefix if done.returncode == 0 else ()


def _answer(folder: Path) -> ChildAnswer:
    values = json.loads(_read(folder / "answer.json", ANSWER_BYTES))
    if message := values.get("refused"):
        raise ModelFileRefusedError(bounded(message, 500))
    if message := values.get("unusable"):
        raise ModelFileError(bounded(message, 500))
    made = {}
    for name in ("model.onnx", "model.joblib"):
        if (folder / name).is_file() and not (folder / name).is_symlink():
            made[name] = _read(folder / name, _file_limit())
    return ChildAnswer(values=values, files=made)


def _read(path: Path, limit: int) -> bytes:
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    with os.fdopen(handle, "rb") as file:
        if os.fstat(file.fileno()).st_size > limit:
            raise ModelFileRefusedError(f"the child process made a {path.name} of over {limit} bytes")
        return file.read(limit)
