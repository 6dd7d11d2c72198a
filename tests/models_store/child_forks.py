"""The child that opens model files, for many folders: each errand in a fork of one process with its libraries loaded.

An errand imports for two seconds before it opens anything; the fork then does what the child's own start would.
"""

import json
import os
import runpy
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from django.conf import settings

from models_store.adapters.sandbox import CHILD


def run_errands(orders: Sequence[tuple[str, Path]]) -> None:
    """Do errands in folders that hold `request.json` and `model.bin`; each leaves its answer there."""
    lines = "".join(f"{errand} {folder}\n" for errand, folder in orders)
    command = [sys.executable, "-s", "-B", "-m", __name__]
    environ = {"PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    subprocess.run(command, input=lines, text=True, cwd=settings.BASE_DIR, env=environ, check=True, timeout=300)


def _serve() -> None:
    # What the errands import; they themselves are read anew in each fork.
    import joblib  # noqa: F401
    import skops.io  # noqa: F401

    import models_store.adapters.child.description  # noqa: F401

    for line in sys.stdin:
        errand, folder = line.split()
        victim = os.fork()
        if not victim:
            _go(errand, folder)
        os.waitpid(victim, 0)


def _go(errand: str, folder: str) -> None:
    try:
        os.environ.update(HOME=folder, TMPDIR=folder)
        sys.argv = [errand, folder]
        runpy.run_module(f"{CHILD}.{errand}", run_name="__main__")
    finally:
        os._exit(0)


def answer(folder: Path) -> dict[str, object]:
    """Return what the child said."""
    said: dict[str, object] = json.loads((folder / "answer.json").read_text())
    return said


if __name__ == "__main__":
    _serve()
