"""Packed files as the plain bytes they hold, as many as a file may hold."""

from __future__ import annotations

import gzip
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from features.errors import InputTooLargeError, UnreadableFileError
from features.ground.errors import bounded
from features.ground.late import pa

BLOCK = 1 << 20
# What unpacks to less harms nobody, whatever the ratio: a file of one value repeated packs well.
HARMLESS_BYTES = 64 << 20
GZIP, ZSTD, ZIP = b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", b"PK\x03\x04"
# What archivers of one system add to everything.
LITTER = ("__MACOSX/", ".DS_Store")


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """How much a file may hold.

    Parameters
    ----------
    max_ratio : int
        Bytes unpacked for each byte stored, beyond 64 MiB.
    max_bytes : int
        Bytes unpacked.
    max_cells : int
        Rows times columns of a Parquet file.
    """

    max_ratio: int
    max_bytes: int
    max_cells: int

    def check(self, label: str, stored: int, held: int) -> None:
        """Refuse a file that holds too much for what it is."""
        if held > self.max_bytes:
            text = f"{label} holds more than features.max_unpacked_mb allows, {self.max_bytes >> 20} MiB"
            raise InputTooLargeError(text, file=label)
        if held > HARMLESS_BYTES and held > stored * self.max_ratio:
            text = f"{label} holds over {self.max_ratio} times its {stored} bytes, which only a file made to harm does"
            raise InputTooLargeError(f"{text} (features.max_ratio)", file=label)


class Readable(Protocol):
    """What bytes can be read from."""

    def read(self, size: int, /) -> bytes:
        """Return the next bytes, none at the end."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Stream:
    """Plain bytes to read: a file as it is, or what a packed one holds; one of its names says the format."""

    name: str
    names: tuple[str, ...]
    file: Readable
    packed: bool


def streams(path: Path, label: str, limits: Limits) -> Iterator[Stream]:
    """Yield the plain bytes of a file, one stream for each member of an archive; read each before the next."""
    with path.open("rb") as file:
        mark = file.read(4)
        file.seek(0)
        if mark == ZIP:
            yield from _members(file, label, limits)
        elif mark[:3] == GZIP:
            yield _limited(label, (label,), gzip.GzipFile(fileobj=file), limits, path.stat().st_size)
        elif mark == ZSTD:
            yield _limited(label, (label,), pa.CompressedInputStream(file, "zstd"), limits, path.stat().st_size)
        else:
            yield Stream(name=label, names=(label,), file=file, packed=False)


def _limited(label: str, names: tuple[str, ...], file: Readable, limits: Limits, stored: int) -> Stream:
    return Stream(name=label, names=names, file=LimitedReader(label, file, limits, stored), packed=True)


def _members(file: BinaryIO, label: str, limits: Limits) -> Iterator[Stream]:
    with reported(label), zipfile.ZipFile(file) as archive:
        members = [item for item in archive.infolist() if not item.is_dir() and not item.filename.startswith(LITTER)]
        if not members:
            raise UnreadableFileError(f"{label} holds no file", file=label)
        for item in members:
            name = f"{label}:{bounded(Path(item.filename).name)}" if len(members) > 1 else label
            if stat.S_ISLNK(item.external_attr >> 16):
                raise UnreadableFileError(f"{label} holds a symbolic link, {bounded(item.filename)}", file=label)
            if item.flag_bits & 1:
                raise UnreadableFileError(f"{label} is encrypted; give it as it is without a password", file=label)
            with archive.open(item) as member:
                yield _limited(
                    name, (item.filename, label)[: 3 - min(len(members), 2)], member, limits, item.compress_size
                )


class LimitedReader:
    """Reads blocks of what a packed file holds, and stops where that is too much or broken off."""

    def __init__(self, label: str, file: Readable, limits: Limits, stored: int) -> None:
        self.label, self.file, self.limits, self.stored = label, file, limits, stored
        self.held = 0

    def read(self, size: int, /) -> bytes:
        """Return the next bytes, none at the end."""
        with reported(self.label):
            block = self.file.read(size)
        self.held += len(block)
        self.limits.check(self.label, self.stored, self.held)
        return block


@contextmanager
def reported(label: str) -> Iterator[None]:
    """Turn what the libraries say of a broken archive into one error."""
    try:
        yield
    except (
        EOFError,
        zlib.error,
        zipfile.BadZipFile,
        gzip.BadGzipFile,
        NotImplementedError,
        pa.ArrowException,
    ) as error:
        text = bounded(str(error).splitlines()[0] if str(error) else type(error).__name__, 160)
        raise UnreadableFileError(f"{label} can't be unpacked whole: {text}", file=label) from error
    except OSError as error:
        if error.errno is not None:
            raise
        raise UnreadableFileError(f"{label} can't be unpacked whole: {bounded(str(error), 160)}", file=label) from error
