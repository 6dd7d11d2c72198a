"""Uploaded files: hashed and measured as they arrive, named by their content, kept while a run needs them."""

import fcntl
import hashlib
import os
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from features.ground.files import fsync_folder
from features.ground.paths import var_path
from pipeline.errors import BadUploadError, UploadGoneError, UploadNotStoredError, UploadTooLargeError
from pipeline.models import Run

FOLDER = "uploads"
ARRIVING = ".arriving-"
# What a file may be called says how it is read; anything else of its name stays outside.
SUFFIX = re.compile(r"\.(csv|tsv|txt|parquet|pq|jsonl|ndjson)(\.(gz|zst|zip))?\Z", re.I)
STORED = re.compile(r"[0-9a-f]{64}(\.[a-z]{2,7}){1,2}\Z")
# A contract may be mended and the run retried.
KEPT_FOR_A_RETRY = timedelta(days=1)
ABANDONED = timedelta(days=1)


class Incoming:
    """A file while it arrives.

    Parameters
    ----------
    limit : int
        Bytes it may have.
    """

    def __init__(self, limit: int) -> None:
        self.limit, self.size = limit, 0
        self.digest = hashlib.sha256()
        self.path = var_path(FOLDER, f"{ARRIVING}{uuid.uuid4().hex}")
        # Rows may be about people: readable by this installation alone.
        self.file = os.fdopen(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")

    def write(self, chunk: bytes) -> None:
        """Take some bytes in."""
        self.size += len(chunk)
        if self.size > self.limit:
            raise too_large(self.limit, self.size)
        self.digest.update(chunk)
        try:
            self.file.write(chunk)
        except OSError as error:
            raise UploadNotStoredError(f"the upload can't be stored: {error.strerror}") from error

    def keep(self, suffix: str) -> str:
        """Give the file its name, sha256 and suffix, and return it."""
        if not self.size:
            raise BadUploadError("the upload is empty; expected a file with at least one row")
        name = f"{self.digest.hexdigest()}{suffix}"
        try:
            self.file.flush()
            os.fsync(self.file.fileno())
        except OSError as error:
            raise UploadNotStoredError(f"the upload can't be stored: {error.strerror}") from error
        self.path.replace(self.path.with_name(name))
        fsync_folder(self.path.parent)
        return name


def max_bytes() -> int:
    """Return how many bytes an upload may have."""
    megabytes: int = settings.CONFIG.features.max_upload_mb
    return megabytes * 2**20


def too_large(limit: int, size: int) -> UploadTooLargeError:
    """Return the error of an upload over the limit."""
    text = f"the upload is too large: at most {limit} bytes (features.max_upload_mb), got {size} or more"
    return UploadTooLargeError(text, limit=limit, got=size)


@contextmanager
def arriving(limit: int) -> Iterator[Incoming]:
    """Give a place for a file; unless it was kept it is gone afterwards, whatever happens."""
    incoming = Incoming(limit)
    try:
        yield incoming
    finally:
        incoming.file.close()
        incoming.path.unlink(missing_ok=True)


def suffix_of(name: str, file_format: str | None) -> str:
    """Return the suffix a file is stored with: of its own name, or of its format where the name says none."""
    if found := SUFFIX.search(name):
        return found[0].lower()
    if file_format is None:
        raise BadUploadError(
            "a file's name must end in .csv, .parquet or .jsonl (.gz, .zst or .zip may follow), or `format` name one"
        )
    return f".{file_format}"


def upload_path(name: str) -> Path:
    """Return the path of a stored upload."""
    path = var_path(FOLDER, name) if STORED.match(name) else None
    if path is None or not path.is_file():
        raise UploadGoneError("the uploaded file is no longer here: upload it again", upload=name[:80])
    return path


@contextmanager
def one_holder() -> Iterator[None]:
    """Let one process at a time name uploads and sweep them: no file goes between its naming and its run."""
    with var_path(FOLDER, ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def sweep() -> int:
    """Remove uploads that no run needs any more, and return how many; hold the place while calling it."""
    now, folder = timezone.now(), var_path(FOLDER, "x").parent
    recent = Q(state=Run.State.FAILED, finished_at__gte=now - KEPT_FOR_A_RETRY)
    runs = Run.objects.filter(Q(state__in=(Run.State.QUEUED, Run.State.RUNNING)) | recent, kind=Run.Kind.INGEST)
    needed = set(runs.values_list("params__upload", flat=True))
    gone = [path for path in folder.iterdir() if STORED.match(path.name) and path.name not in needed]
    # Its process died while it arrived.
    late = (now - ABANDONED).timestamp()
    gone += [path for path in folder.glob(f"{ARRIVING}*") if path.stat().st_mtime < late]
    for path in gone:
        path.unlink(missing_ok=True)
    return len(gone)
