"""How request bodies are read and answers are written."""

from typing import IO, Any

from django.http import HttpResponse
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.negotiation import BaseContentNegotiation, DefaultContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request

from features.ground.errors import bounded
from features.ground.quick_settings import setting
from predictions.core.answer import PredictAnswer
from predictions.core.arrow_tables import arrow_answer
from predictions.core.coding import PLAIN, WINDOWS, packed, unpacked
from predictions.core.csv_rows import csv_answer
from predictions.core.parse import parse_json

ARROW, CSV = "application/vnd.apache.arrow.stream", "text/csv"


class JsonAlways(BaseContentNegotiation):
    """Answer JSON whatever the caller accepts: probes, scrapers and clients of other servers send odd headers."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        """Return the only parser."""
        return parsers[0]

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> tuple[Any, str]:
        """Return the only renderer."""
        return renderers[0], renderers[0].media_type


def media_type(request: Request) -> str:
    """Return the media type of a request's body, without its parameters."""
    return str(request.content_type or "").partition(";")[0].strip().lower()


def body_of(request: Request) -> bytes:
    """Return a request's body without its content coding; empty if none came."""
    django = request._request
    if django.META.get("CONTENT_TYPE") == BodyParser.media_type and "HTTP_CONTENT_ENCODING" not in django.META:
        # As its parser would hand it over, without the search for that.
        return bytes(django.read())
    return request.data if isinstance(request.data, bytes) else b""


def compressed(request: Request, body: bytes, content_type: str) -> HttpResponse:
    """Return an answer, compressed if the client accepts that."""
    content, coding = packed(body, request.headers.get("Accept-Encoding", ""))
    headers = {"Vary": "Accept-Encoding"} | ({"Content-Encoding": coding} if coding else {})
    return HttpResponse(content, content_type=content_type, headers=headers)


class BodyParser(BaseParser):
    """Hand over the bytes of a body; the predict path reads them itself."""

    media_type = "application/json"

    def parse(self, stream: IO[bytes], media_type: Any = None, parser_context: Any = None) -> Any:
        """Return the body, unpacked if it is compressed."""
        coding = parser_context["request"].META.get("HTTP_CONTENT_ENCODING", "").strip().lower()
        if coding not in PLAIN and coding not in WINDOWS:
            text = f"Content-Encoding must be {' or '.join(WINDOWS)}; got {bounded(coding, 60)}"
            raise UnsupportedMediaType(coding, text)
        return unpacked(stream.read(), coding, limit=setting("CONFIG").security.max_request_size)


class ArrowBodyParser(BodyParser):
    """The same for an Arrow stream."""

    media_type = ARROW


class CsvBodyParser(BodyParser):
    """The same for CSV."""

    media_type = CSV


class AnyBodyParser(BodyParser):
    """The same for any media type, or none: some clients name none."""

    media_type = "*/*"


class StrictJSONParser(BaseParser):
    """Read JSON, refusing what makes other readers fail: depth, halves of characters, numbers out of range."""

    media_type = "application/json"

    def parse(self, stream: IO[bytes], media_type: Any = None, parser_context: Any = None) -> Any:
        """Return the body's value."""
        return parse_json(stream.read(), max_depth=setting("CONFIG").security.max_depth, allow_nan=False)


class AnswerRenderer(JSONRenderer):
    """Write answers as the lane does, byte for byte."""

    def answer(self, answer: PredictAnswer) -> bytes:
        """Return an answer's bytes."""
        return answer.json()

    def render(self, data: Any, accepted_media_type: Any = None, renderer_context: Any = None) -> bytes:
        """Return the bytes of an answer, or the JSON text of anything else."""
        if isinstance(data, PredictAnswer):
            return self.answer(data)
        return bytes(super().render(data, accepted_media_type, renderer_context))


class ArrowRenderer(AnswerRenderer):
    """Write answers as an Arrow stream."""

    media_type = ARROW
    format = "arrow"

    def answer(self, answer: PredictAnswer) -> bytes:
        """Return an answer's bytes."""
        return arrow_answer(answer)


class CsvRenderer(AnswerRenderer):
    """Write answers as CSV."""

    media_type = CSV
    format = "csv"

    def answer(self, answer: PredictAnswer) -> bytes:
        """Return an answer's bytes."""
        return csv_answer(answer)


class SameForm(DefaultContentNegotiation):
    """Answer in the form of the request where the client takes any."""

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        """Return the renderer and its media type."""
        accepted = request._request.META.get("HTTP_ACCEPT", "*/*")
        if accepted == "*/*" or self.get_accept_list(request) == ["*/*"]:
            kind = media_type(request)
            return next(((r, kind) for r in renderers if r.media_type == kind), (renderers[0], renderers[0].media_type))
        named = next(((r, accepted) for r in renderers if r.media_type == accepted), None)
        return named or super().select_renderer(request, renderers, format_suffix)
