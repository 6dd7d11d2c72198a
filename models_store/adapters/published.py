"""The production version's files at a stable path, for tools that want a file."""

import fcntl
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from features.ground.files import fsync_folder, write_atomic
from features.ground.paths import var_path
from models_store.core.spec import checked_name
from models_store.errors import ArtefactWriteError

LINK = "production"


@contextmanager
def publisher(model: str) -> Iterator[None]:
    """Let one process at a time publish a model on this machine."""
    try:
        lock = (_folder(model) / ".lock").open("w")
    except OSError as error:
        raise ArtefactWriteError(f"nothing can be published below models/{model}: {error.strerror or error}") from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def publish_files(model: str, digest: str, files: Mapping[str, bytes]) -> Path:
    """Put files at `models/<model>/production`, all of them in one step."""
    folder = _folder(model)
    home = folder / f".{digest}"
    try:
        for name, content in files.items():
            write_atomic(home / name, content)
        for left in home.iterdir():
            if left.name not in files:  # by a publisher that was killed
                left.unlink()
        previous = _target(folder)
        _swap(folder, home.name)
    except OSError as error:
        raise ArtefactWriteError(
            f"{folder / LINK} was not replaced and still holds what it held: {error.strerror or error}"
        ) from error
    # The one just replaced stays: a reader may have followed the link a moment ago.
    _remove_all_but(folder, {home.name, previous})
    return folder / LINK


def withdraw_files(model: str) -> None:
    """Take the stable path away: the model has nothing in production."""
    link = _folder(model) / LINK
    try:
        link.unlink(missing_ok=True)
    except OSError as error:
        raise ArtefactWriteError(f"{link} was not taken away: {error.strerror or error}") from error


def _folder(model: str) -> Path:
    folder = var_path("models", checked_name(model))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _target(folder: Path) -> str | None:
    link = folder / LINK
    return str(link.readlink()) if link.is_symlink() else None


def _swap(folder: Path, target: str) -> None:
    holder = Path(tempfile.mkdtemp(dir=folder, prefix=".link-"))
    try:
        (holder / LINK).symlink_to(target)
        (holder / LINK).replace(folder / LINK)
    finally:
        shutil.rmtree(holder, ignore_errors=True)
    fsync_folder(folder)


def _remove_all_but(folder: Path, keep: set[str | None]) -> None:
    for path in folder.glob(".*"):
        if path.is_dir() and path.name not in keep and not path.name.startswith(".link-"):
            shutil.rmtree(path, ignore_errors=True)
