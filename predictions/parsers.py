"""How request bodies are read and answers are written."""

from typing import IO, Any

from django.conf import settings
from django.http import HttpResponse
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request

from features.ground.errors import bounded
from predictions.core.answer import PredictAnswer
from predictions.core.coding import PLAIN, WINDOWS, packed, unpacked
from predictions.core.parse import parse_json


class JsonAlways(BaseContentNegotiation):
    """Answer JSON whatever the caller accepts: probes, scrapers and clients of other servers send odd headers."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        """Return the only parser."""
        return parsers[0]

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> tuple[Any, str]:
        """Return the only renderer."""
        return renderers[0], renderers[0].media_type


def body_of(request: Request) -> bytes:
    """Return a request's body without its content coding; empty if none came."""
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
        headers = parser_context["request"].headers
        coding = headers.get("Content-Encoding", "").strip().lower()
        if coding not in PLAIN and coding not in WINDOWS:
            text = f"Content-Encoding must be {' or '.join(WINDOWS)}; got {bounded(coding, 60)}"
            raise UnsupportedMediaType(coding, text)
        return unpacked(stream.read(), coding, limit=settings.CONFIG.security.max_request_size)


class AnyBodyParser(BodyParser):
    """The same for any media type, or none: some clients name none."""

    media_type = "*/*"


class StrictJSONParser(BaseParser):
    """Read JSON, refusing what makes other readers fail: depth, halves of characters, numbers out of range."""

    media_type = "application/json"

    def parse(self, stream: IO[bytes], media_type: Any = None, parser_context: Any = None) -> Any:
        """Return the body's value."""
        return parse_json(stream.read(), max_depth=settings.CONFIG.security.max_depth, allow_nan=False)


class AnswerRenderer(JSONRenderer):
    """Write answers as the lane does, byte for byte."""

    def render(self, data: Any, accepted_media_type: Any = None, renderer_context: Any = None) -> bytes:
        """Return the JSON text."""
        if isinstance(data, PredictAnswer):
            return data.json()
        return bytes(super().render(data, accepted_media_type, renderer_context))
