"""From what a caller names to plain files: folders walked, archives unpacked, text in UTF-8, bytes named."""

import codecs
import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from features.adapters.hive import partition_values
from features.adapters.read_options import Format, ReadOptions, format_of
from features.adapters.unpacking import BLOCK, Limits, Stream, streams
from features.errors import EmptyFileError, FileMissingError, UnreadableFileError
from features.ground.errors import bounded

UTF_8 = "utf-8"
UTF_16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True, kw_only=True, slots=True)
class PlainFile:
    """A file of rows that can be read as it is.

    Parameters
    ----------
    path : Path
        Where it is.
    label : str
        What people call it.
    format : str
        Of its rows.
    sha256 : str
        Of the bytes the caller's file holds, packed or not.
    size : int
        How many those are.
    partition : mapping of str to str or None
        Values its folders' names give all its rows.
    """

    path: Path
    label: str
    format: Format
    sha256: str
    size: int
    partition: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Named:
    path: Path
    label: str
    partition: Mapping[str, str | None] = field(default_factory=dict)


def plain_files(
    files: Sequence[Path], read: ReadOptions, folder: Path, limits: Limits, told: Callable[[float], None]
) -> list[PlainFile]:
    """Return the plain files behind the named ones.

    Parameters
    ----------
    files : sequence of Path
        Files, archives and folders.
    read : ReadOptions
        How to read them.
    folder : Path
        Where unpacked bytes and text of other encodings may be put.
    limits : Limits
        How much a file may hold.
    told : callable
        Called with the share that is done.
    """
    named = [found for file in files for found in _named(file)]
    total = sum(each.path.stat().st_size for each in named) or 1
    done, plain = 0, list[PlainFile]()
    for each in named:
        for stream in streams(each.path, each.label, limits):
            taken = _Taken(stream, read, folder / str(len(plain)), _share(told, done, total))
            plain.append(taken.plain(each))
        done += each.path.stat().st_size
    return plain


def _share(told: Callable[[float], None], done: int, total: int) -> Callable[[int], None]:
    def of_all(size: int) -> None:
        told(min(1.0, (done + size) / total))

    return of_all


def _named(path: Path) -> Iterator[_Named]:
    if path.is_dir():
        yield from _in_folder(path)
    elif path.is_file():
        yield _Named(path=path, label=path.name)
    else:
        raise FileMissingError(f"no such file: {bounded(str(path))}", file=path.name)


def _in_folder(folder: Path) -> Iterator[_Named]:
    if (folder / "_delta_log").exists():
        text = f"{folder.name} is a Delta table, whose files are not all rows of it"
        raise UnreadableFileError(f"{text}; export the version you mean to a file", file=folder.name)
    found = []
    for place, folders, names in os.walk(folder):
        # Names that begin like this hold what writers of Parquet note for themselves.
        folders[:] = [name for name in folders if not name.startswith(("_", "."))]
        for name in (*folders, *names):
            if (Path(place) / name).is_symlink():
                raise UnreadableFileError(f"{folder.name} holds a symbolic link, {bounded(name)}", file=folder.name)
        found += [Path(place) / name for name in names if not name.startswith(("_", "."))]
    if not found:
        raise EmptyFileError(f"{folder.name} holds no file", file=folder.name)
    for path in sorted(found):
        below = path.relative_to(folder)
        yield _Named(path=path, label=str(below), partition=partition_values(below.parent.parts))


class _Taken:
    """One stream, read to its end: its digest, and a plain file of its own where it isn't one."""

    def __init__(self, stream: Stream, read: ReadOptions, target: Path, told: Callable[[int], None]) -> None:
        self.stream, self.read, self.target, self.told = stream, read, target, told
        self.format = read.format or format_of(*stream.names)
        self.text = self.format != "parquet"
        self.written = stream.packed or (self.text and read.encoding != UTF_8)

    def plain(self, named: _Named) -> PlainFile:
        """Read all and return the plain file."""
        if self.written:
            with self.target.open("wb") as file:
                digest, size = self._through(file)
        else:
            digest, size = self._through(None)
        if not size:
            raise EmptyFileError(f"{self.stream.name} is empty; expected at least one row", file=self.stream.name)
        return PlainFile(
            path=self.target if self.written else named.path,
            label=self.stream.name,
            format=self.format,
            sha256=digest,
            size=size,
            partition=named.partition,
        )

    def _through(self, file: BinaryIO | None) -> tuple[str, int]:
        total, size = hashlib.sha256(), 0
        decoder = codecs.getincrementaldecoder(self.read.encoding)() if self.text else None
        source = self.stream.file
        while True:
            block = source.read(BLOCK)
            total.update(block)
            text = self._decoded(decoder, block, size) if decoder else ""
            size += len(block)
            if file is not None:
                file.write(block if decoder is None or self.read.encoding == UTF_8 else text.encode())
            if not block:
                return total.hexdigest(), size
            self.told(size)

    def _decoded(self, decoder: codecs.IncrementalDecoder, block: bytes, done: int) -> str:
        pending = len(decoder.getstate()[0])
        try:
            return decoder.decode(block, final=not block)
        except UnicodeError as error:
            # Text without the mark UTF-16 begins with is refused without a place.
            place = done - pending + (error.start if isinstance(error, UnicodeDecodeError) else 0)
            said = UTF_8.upper() if self.read.encoding == UTF_8 else self.read.encoding
            looks = "utf-16" if done == 0 and block[:2] in UTF_16_MARKS else "latin-1"
            text = f"{self.stream.name} is not {said}: byte {place} is not part of a character"
            hint = f"name what it is with --encoding, such as {looks}"
            raise UnreadableFileError(f"{text}; {hint}", file=self.stream.name, byte=place) from error
