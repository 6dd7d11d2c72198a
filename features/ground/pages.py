"""Pages of a list, told apart by a cursor."""

from typing import Any

from rest_framework.exceptions import ValidationError
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request

MAX_PAGE_SIZE = 200


class Pages(CursorPagination):
    """Pages of 50, or of as many as `page_size` says; a size that is none is refused, not replaced."""

    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = MAX_PAGE_SIZE

    def get_page_size(self, request: Request) -> int:
        """Return how many rows a page has."""
        asked = request.query_params.get("page_size")
        if asked is None:
            return int(self.page_size or MAX_PAGE_SIZE)
        plain = asked.isascii() and asked.isdigit() and len(asked) < 10
        if not plain or not 1 <= int(asked) <= MAX_PAGE_SIZE:
            raise ValidationError({"page_size": [f"must be a whole number from 1 to {MAX_PAGE_SIZE}"]})
        return int(asked)

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """Return how the API's document describes cursor and size."""
        found: list[dict[str, Any]] = super().get_schema_operation_parameters(view)
        for parameter in found:
            if parameter["name"] == "page_size":
                parameter["schema"] |= {"minimum": 1, "maximum": MAX_PAGE_SIZE}
        return found
