"""Where tables and snapshots are kept: below the run-time folder, or in a bucket. Nothing else knows which."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from django.conf import settings

from features.errors import DatasetChangedError, StorageUnavailableError
from features.ground.errors import bounded
from features.ground.late import deltalake, fs
from features.ground.paths import var_path

# A bucket that doesn't answer is told of within the half minute, and a short hiccup not at all.
PATIENCE = {"connect_timeout": "5s", "timeout": "60s", "max_retries": "4", "retry_timeout": "30s"}


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredFile:
    """A file below a place: its path from there, its size in bytes, and when it was written."""

    name: str
    size: int
    written_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """A folder, or what stands for one in a bucket.

    Parameters
    ----------
    uri : str
        How the Delta library names it.
    path : str
        How its file system names it.
    filesystem : FileSystem
        Reads and writes it.
    options : dict or None
        What the Delta library must know besides; never a credential: both libraries take those from the environment.
    """

    uri: str
    path: str
    filesystem: fs.FileSystem
    options: dict[str, str] | None = None

    @property
    def is_local(self) -> bool:
        """Tell whether it is a folder of this machine."""
        return self.options is None

    def is_table(self) -> bool:
        """Tell whether a Delta table is there."""
        with self.reached():
            return bool(deltalake.DeltaTable.is_deltatable(self.uri, self.options))

    def table(self, version: int | None = None) -> deltalake.DeltaTable:
        """Open the Delta table that is there."""
        with self.reached():
            return deltalake.DeltaTable(self.uri, version=version, storage_options=self.options)

    def files(self) -> list[StoredFile]:
        """List every file below, by name."""
        with self.reached():
            found = self.filesystem.get_file_info(fs.FileSelector(self.path, recursive=True, allow_not_found=True))
        start = len(self.path) + 1
        files = [
            StoredFile(name=one.path[start:], size=one.size or 0, written_at=one.mtime)
            for one in found
            if one.type == fs.FileType.File
        ]
        return sorted(files, key=lambda file: file.name)

    def has(self, name: str) -> bool:
        """Tell whether there is a file of this name."""
        with self.reached():
            return bool(self.filesystem.get_file_info(f"{self.path}/{name}").type == fs.FileType.File)

    def upload(self, file: Path, name: str) -> None:
        """Copy a file of this machine there."""
        with self.reached():
            fs.copy_files(
                str(file), f"{self.path}/{name}",
                source_filesystem=fs.LocalFileSystem(), destination_filesystem=self.filesystem,
            )  # fmt: skip

    def remove(self, names: Sequence[str]) -> None:
        """Delete files below, in this order."""
        with self.reached():
            for name in names:
                self.filesystem.delete_file(f"{self.path}/{name}")

    def remove_all(self) -> None:
        """Delete everything; at each moment what is left of a Delta table is an older version of it, or none."""
        if self.is_local:
            shutil.rmtree(_set_aside(Path(self.path)), ignore_errors=True)
            return
        names = [file.name for file in self.files()]
        # The newest version goes first, and the rows go last.
        self.remove([name for name in reversed(names) if name.startswith("_delta_log/")])
        self.remove([name for name in names if not name.startswith("_delta_log/")])

    @contextmanager
    def reached(self) -> Iterator[None]:
        """Say in our own words that a bucket can't be used, or that somebody else was faster."""
        try:
            yield
        except deltalake.exceptions.CommitFailedError as error:
            text = f"somebody else changed the table meanwhile; ask again ({bounded(str(error), 200)})"
            raise DatasetChangedError(text) from error
        except (OSError, deltalake.exceptions.DeltaError) as error:
            if self.is_local:
                raise
            raise StorageUnavailableError(f"{_bucket()} can't be used: {bounded(_one_line(error), 300)}") from error


def _set_aside(folder: Path) -> Path:
    """Give a folder another name in one step, so that nobody meets it half deleted."""
    aside = folder.with_name(f".gone-{folder.name}")
    shutil.rmtree(aside, ignore_errors=True)
    if folder.exists():
        folder.rename(aside)
    return aside


def _one_line(error: Exception) -> str:
    lines = (line.strip().removeprefix("↳").strip() for line in str(error).replace("\x1b[31m↳\x1b[0m", "").splitlines())
    return "; ".join(line for line in lines if line)


def _bucket() -> str:
    return str(settings.CONFIG.storage.url.get_secret_value())


def place(*parts: str) -> Place:
    """Return where something is kept, as the settings say at this moment."""
    address = urlsplit(_bucket())
    if address.scheme != "s3":
        folder = str(_local(address.path, parts))
        return Place(uri=folder, path=folder, filesystem=fs.LocalFileSystem())
    return _in_bucket(address, parts)


def _in_bucket(address: SplitResult, parts: Sequence[str], **patience: float) -> Place:
    config = settings.CONFIG.storage
    path = "/".join(part for part in (address.netloc, address.path.strip("/"), *parts) if part)
    endpoint = config.endpoint.get_secret_value().rstrip("/")
    options = {**PATIENCE, "allow_http": str(config.allow_http).lower(), "region": config.region}
    given = {"region": config.region, "connect_timeout": 5.0, "request_timeout": 60.0, **patience}
    if endpoint:
        options["endpoint"] = endpoint
        given |= {"endpoint_override": urlsplit(endpoint).netloc, "scheme": urlsplit(endpoint).scheme}
    return Place(uri=f"s3://{path}", path=path, filesystem=fs.S3FileSystem(**given), options=options)


def reach_bucket(seconds: float) -> None:
    """Ask for the bucket that is configured, no longer than so at each step.

    Raises
    ------
    OSError
        If it does not answer, or does not let us in.
    """
    there = _in_bucket(urlsplit(_bucket()), (), request_timeout=seconds, connect_timeout=seconds)
    found = there.filesystem.get_file_info(fs.FileSelector(there.path, allow_not_found=True))
    bucket = there.path.partition("/")[0]
    if not found and there.filesystem.get_file_info(bucket).type == fs.FileType.NotFound:
        raise FileNotFoundError("there is no such bucket")


def _local(root: str, parts: Sequence[str]) -> Path:
    if not root:
        return var_path(*parts)
    path = Path(root).joinpath(*parts)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
