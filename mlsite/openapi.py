"""The API's document: each operation says how it refuses, in the shape of its address's dialect."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from drf_spectacular.openapi import AutoSchema
from rest_framework.negotiation import DefaultContentNegotiation

from predictions import serializers
from predictions.core.dialects import dialect_of

JSON = "application/json"
MEANINGS = {
    400: "Malformed or invalid data: `Invalid request data`, with what is wrong in `fields`.",
    401: "`Authorization token required`, or `Invalid token`.",
    403: "The caller's role may not do this, or not to this model.",
    404: "There is no such thing.",
    406: "The route has no answer in a form the client takes.",
    409: "Another caller was first.",
    411: "The body's length is not said: bodies in chunks are not read.",
    413: "The body or the number of rows is over the limit.",
    415: "The body is in a form or coding this route does not read.",
    422: "A rule says no to a well-formed request, or this model can't serve it.",
    429: "Over the rate limit; `Retry-After` says for how long.",
    503: "No version of the model is loaded, or the database is away; `Retry-After` says when to try again.",
}
SHAPES = {
    "own": serializers.ErrorSerializer,
    "v2": serializers.V2ErrorSerializer,
    "mlflow": serializers.MlflowErrorSerializer,
}


class ApiSchema(AutoSchema):
    """Adds to what a view says of itself what middleware, framework and the errors' table do for all of them."""

    def get_operation(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        """Return the operation with its refusals; what the view says itself stands."""
        operation: dict[str, Any] | None = super().get_operation(*args, **kwargs)
        if operation is not None:
            shape = self.resolve_serializer(SHAPES[dialect_of(self.path)], "response").ref
            for status in self._refusals():
                said = {"content": {JSON: {"schema": shape}}, "description": MEANINGS[status]}
                operation["responses"].setdefault(str(status), said | _headers(status))
            operation["responses"] = dict(sorted(operation["responses"].items()))
        return operation

    def _map_basic_serializer(self, serializer: Any, direction: Any) -> dict[str, Any]:
        found: dict[str, Any] = super()._map_basic_serializer(serializer, direction)
        if direction == "request" and getattr(serializer, "refuses_unknown", False):
            found["additionalProperties"] = False
        return found

    def _resolve_path_parameters(self, variables: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = super()._resolve_path_parameters(variables)
        for parameter in found:
            if parameter["schema"].get("type") == "integer":
                parameter["schema"]["minimum"] = 1  # ids and numbers of versions begin there
        return found

    def _refusals(self) -> Iterator[int]:
        yield HTTPStatus.BAD_REQUEST
        if self.view.authentication_classes:
            yield from (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.SERVICE_UNAVAILABLE)
        if "{" in self.path or "cursor" in self._query():
            yield HTTPStatus.NOT_FOUND
        if issubclass(self.view.content_negotiation_class, DefaultContentNegotiation):
            yield HTTPStatus.NOT_ACCEPTABLE
        if getattr(self.view, "throttle_scope", None) and self.view.throttle_classes:
            yield HTTPStatus.TOO_MANY_REQUESTS
        if self.method in ("POST", "PUT", "PATCH"):
            yield from (
                HTTPStatus.LENGTH_REQUIRED,
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            )
            if self.view.authentication_classes:
                yield from (HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY)
            if self._writes():
                yield HTTPStatus.CONFLICT

    def _writes(self) -> bool:
        return bool(
            self.view.authentication_classes and dialect_of(self.path) == "own" and getattr(self.view, "writes", True)
        )

    def _query(self) -> set[str]:
        return {parameter["name"] for parameter in self._get_parameters() if parameter["in"] == "query"}


def _headers(status: int) -> dict[str, Any]:
    if status not in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
        return {}
    return {"headers": {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds to wait."}}}
