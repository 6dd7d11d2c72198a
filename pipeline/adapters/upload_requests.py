"""The file of a request, streamed to its place: the body as it is, or the one file of a form."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.core.files.uploadhandler import FileUploadHandler
from django.http import HttpRequest, QueryDict
from django.http.multipartparser import MultiPartParserError

from pipeline.adapters.uploads import Incoming, arriving, max_bytes, too_large
from pipeline.errors import BadUploadError

CHUNK = 1 << 18
FIELD = "file"
# What a form puts around its file, its other fields included.
WRAPPING = 1 << 20
FORMATS = {
    "text/csv": "csv",
    "application/csv": "csv",
    "application/vnd.apache.parquet": "parquet",
    "application/x-ndjson": "jsonl",
    "application/jsonl": "jsonl",
    "application/x-jsonlines": "jsonl",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Upload:
    """A file that has arrived.

    Parameters
    ----------
    file : Incoming
        Where it lies, until the request ends.
    name : str
        What the caller calls it; never part of a path.
    format : str or None
        What its content type says.
    fields : QueryDict
        What came with it, of the query and the form.
    """

    file: Incoming
    name: str
    format: str | None
    fields: QueryDict


class _ToDisk(FileUploadHandler):
    """Writes the one file of a form as it arrives, and leaves nothing in memory or in the system's folder."""

    def __init__(self, request: HttpRequest, incoming: Incoming) -> None:
        super().__init__(request)
        self.incoming = incoming
        self.found: tuple[str, str] | None = None

    def new_file(self, field_name: str, file_name: str, content_type: str, *args: Any, **kwargs: Any) -> None:
        if field_name != FIELD or self.found is not None:
            raise BadUploadError(f"a form has one file, in its field {FIELD!r}")
        self.found = file_name, content_type
        super().new_file(field_name, file_name, content_type, *args, **kwargs)

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        self.incoming.write(raw_data)

    def file_complete(self, file_size: int) -> None:
        """Say nothing: the file is where it belongs, not among the request's files."""


@contextmanager
def received(request: HttpRequest) -> Iterator[Upload]:
    """Stream a request's file to its place.

    Raises
    ------
    UploadTooLargeError
        If it is over the limit, by its own word or by what arrives.
    BadUploadError
        If the request holds no file, or a form that can't be read.
    """
    limit, kind = max_bytes(), request.content_type or ""
    is_form = kind == "multipart/form-data"
    if (said := length_of(request)) > limit + (WRAPPING if is_form else 0):
        raise too_large(limit, said)
    with arriving(limit) as incoming:
        if is_form:
            yield _form(request, incoming)
        else:
            while chunk := request.read(CHUNK):
                incoming.write(chunk)
            name = request.GET.get("filename", "")
            yield Upload(file=incoming, name=name, format=FORMATS.get(kind.lower()), fields=request.GET)


def length_of(request: HttpRequest) -> int:
    """Return the length the request names; a body without one is not read."""
    length = request.headers.get("Content-Length") or ""
    if not length.isascii() or not length.isdigit():
        raise BadUploadError("an upload needs its Content-Length; none came")
    return int(length[:20])


def _form(request: HttpRequest, incoming: Incoming) -> Upload:
    handler = _ToDisk(request, incoming)
    request.upload_handlers = [handler]
    try:
        fields = request.POST
    except MultiPartParserError as error:
        raise BadUploadError(f"the form can't be read: {error}") from error
    if handler.found is None:
        raise BadUploadError(f"the form holds no file; it belongs into the field {FIELD!r}")
    both = request.GET.copy()
    both.update(fields)
    name, kind = handler.found
    return Upload(file=incoming, name=name or "", format=FORMATS.get((kind or "").lower()), fields=both)
