"""Where things made at run time live."""

from pathlib import Path

from django.conf import settings


def var_path(*parts: str) -> Path:
    """Return a path below the run-time folder, its parent made if needed.

    Raises
    ------
    ValueError
        If the path would leave the run-time folder.
    """
    root = Path(settings.VAR_DIR).resolve()
    path = root.joinpath(*parts).resolve()
    if not path.is_relative_to(root):
        raise ValueError(f"path leaves {root}")
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
