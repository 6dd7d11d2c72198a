"""Errand: open a pickle made elsewhere, by names of the allow list only."""

import sys
from pathlib import Path
from typing import Any

from models_store.adapters.child import guard
from models_store.adapters.child.description import described
from models_store.adapters.child.errand import run, unpickled


def import_pickle(request: dict[str, Any], blob: bytes, folder: Path) -> dict[str, Any]:
    """Open the file and say what it holds."""
    model = unpickled(blob)
    guard.opened()
    return described(model, request, folder)


if __name__ == "__main__":
    run(import_pickle, Path(sys.argv[1]))
