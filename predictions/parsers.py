"""How request bodies are read and answers are written."""

from typing import IO, Any

from django.conf import settings
from rest_framework.parsers import BaseParser
from rest_framework.renderers import JSONRenderer

from predictions.core.answer import PredictAnswer
from predictions.core.parse import parse_json


class BodyParser(BaseParser):
    """Hand over the bytes of a JSON body; the predict path reads them itself."""

    media_type = "application/json"

    def parse(self, stream: IO[bytes], media_type: Any = None, parser_context: Any = None) -> Any:
        """Return the body."""
        return stream.read()


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
