"""Fields of requests that take what the API's document says, and nothing that could be made of it."""

from typing import Any

from rest_framework import serializers


class TextField(serializers.CharField):
    """A text; a number is refused, not written out."""

    def to_internal_value(self, data: Any) -> str:
        """Return the text."""
        if not isinstance(data, str):
            self.fail("invalid")
        return str(super().to_internal_value(data))
