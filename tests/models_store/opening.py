"""The child's smallest errand: open a pickle behind the guard, and say what it was."""

import sys
from pathlib import Path

from models_store.adapters.child.errand import run, unpickled

if __name__ == "__main__":
    run(lambda request, blob, folder: {"opened": type(unpickled(blob)).__name__}, Path(sys.argv[1]))
