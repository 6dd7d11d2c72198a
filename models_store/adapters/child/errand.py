"""What every errand of the child has in common: limits first, then the guard, then one answer."""

import io
import json
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib

from models_store.adapters.child import guard

Errand = Callable[[dict[str, Any], bytes, Path], dict[str, Any]]
"""Called with the request, the model's bytes and the folder for files it makes."""


class UnusableError(Exception):
    """The file opened, and is not a model that can be served."""


def run(errand: Errand, folder: Path, *, own_code: bool = False, any_name: bool = False) -> None:
    """Do an errand in the folder that holds `request.json` and `model.bin`; leave `answer.json` there."""
    request = json.loads((folder / "request.json").read_text())
    blob = (folder / "model.bin").read_bytes()
    _limit(request["limits"])
    try:
        guard.close(folder, own_code=own_code, any_name=any_name)
        answer = errand(request, blob, folder)
    except guard.RefusedError as error:
        answer = {"refused": str(error)}
    except UnusableError as error:
        answer = {"unusable": str(error)}
    (folder / "answer.json").write_text(json.dumps(answer))


def unpickled(blob: bytes) -> Any:
    """Open a pickle; the guard stands behind it."""
    try:
        return joblib.load(io.BytesIO(blob))
    except Exception as error:  # what a broken or foreign pickle raises has no bound
        raise UnusableError(f"the file does not open as a pickle: {type(error).__name__}: {error}") from error


def _limit(limits: dict[str, int]) -> None:
    for kind, most in (
        (resource.RLIMIT_AS, limits["memory_bytes"]),
        (resource.RLIMIT_CPU, limits["cpu_s"]),
        (resource.RLIMIT_FSIZE, limits["file_bytes"]),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (most, most))
