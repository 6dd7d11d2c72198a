"""Files that an ingestion, an upload or a registration left behind when its process died."""

import shutil
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from features.ground.paths import var_path

PLACES = {"staging": "staging", "upload": "uploads"}


def left_files(before: datetime, places: Mapping[str, str] = PLACES) -> Iterator[tuple[str, Path, int]]:
    """Yield what lies in the places of work and has not been touched since: its kind, its path, its bytes."""
    for kind, folder in places.items():
        root = var_path(folder, "x").parent
        for path in sorted(root.iterdir()):
            files = [path, *path.rglob("*")] if path.is_dir() and not path.is_symlink() else [path]
            told = [file.lstat() for file in files]
            if datetime.fromtimestamp(max(one.st_mtime for one in told), UTC) < before:
                size = sum(one.st_size for one, file in zip(told, files, strict=True) if file.is_file())
                yield kind, path, size


def remove_left(path: Path) -> None:
    """Remove a file, or a folder with all that is in it; a link goes, and what it leads to stays."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
