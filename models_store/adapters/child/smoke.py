"""Errand: does the pipeline of an artefact answer its sample?"""

import sys
from pathlib import Path
from typing import Any

from models_store.adapters.child.asking import answers, frame_of
from models_store.adapters.child.errand import run, unpickled
from models_store.adapters.child.timing import median_ms


def smoke(request: dict[str, Any], blob: bytes, folder: Path) -> dict[str, Any]:
    """Open our own signed pickle and ask it."""
    model, frame = unpickled(blob), frame_of(request["columns"], request["rows"])
    finite = answers(model, frame)
    return {"finite": finite, "row_ms": median_ms(lambda: answers(model, frame[:1]))}


if __name__ == "__main__":
    run(smoke, Path(sys.argv[1]), own_code=True, any_name=True)
