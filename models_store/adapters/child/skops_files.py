"""Errand: open a skops file made elsewhere, by types of the allow list only."""

import sys
from pathlib import Path
from typing import Any

import joblib
import skops.io

from models_store.adapters.child import guard
from models_store.adapters.child.description import described
from models_store.adapters.child.errand import UnusableError, run
from models_store.core.allowed import SKOPS_TRUSTED


def import_skops(request: dict[str, Any], blob: bytes, folder: Path) -> dict[str, Any]:
    """Open the file, say what it holds, and keep it in the form that is served."""
    model = _opened(blob)
    answer = described(model, request, folder)
    joblib.dump(model, folder / "model.joblib", compress=3)
    return answer


def _opened(blob: bytes) -> Any:
    try:
        extra = set(skops.io.get_untrusted_types(data=blob)) - SKOPS_TRUSTED
        if extra:
            raise guard.RefusedError(f"the file holds types outside the allow list: {', '.join(sorted(extra))}")
        return skops.io.loads(blob, trusted=sorted(SKOPS_TRUSTED))
    except Exception as error:  # what a broken archive raises has no bound
        raise UnusableError(f"the file does not open as skops: {type(error).__name__}: {error}") from error


if __name__ == "__main__":
    run(import_skops, Path(sys.argv[1]), any_name=True)
