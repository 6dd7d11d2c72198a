"""The one table from errors to HTTP statuses, and the one shape every API error has."""

import json
import math
from collections.abc import Callable
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views import csrf, defaults
from django_ratelimit.exceptions import Ratelimited
from rest_framework import exceptions
from rest_framework.views import set_rollback

from features.ground import errors

# The nearest class in an error's line of descent decides.
STATUSES: dict[type[errors.DomainError], int] = {
    errors.DomainError: 500,
    errors.InvalidInputError: 400,
    errors.ForbiddenError: 403,
    errors.NotFoundError: 404,
    errors.ConflictError: 409,
    errors.FencedError: 409,
    errors.TooLargeError: 413,
    errors.LimitedError: 429,
    errors.RefusedError: 422,
    errors.UnavailableError: 503,
}
RETRY_AFTER_S = 1
CONSOLE = "/admin/"


def status_of(error: errors.DomainError) -> int:
    """Return the HTTP status of an error."""
    return next(STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES)


def body(text: str, code: str, request: Any, fields: Any = None) -> dict[str, Any]:
    """Return the JSON object of an error."""
    answer: dict[str, Any] = {"error": text, "code": code, "request_id": getattr(request, "request_id", "")}
    if fields:
        # NaN and infinity are no JSON: they become their names.
        answer["fields"] = json.loads(json.dumps(fields, default=str), parse_constant=str)
    return answer


def exception_handler(error: Exception, context: dict[str, Any]) -> JsonResponse | None:
    """Turn what a view raised into an answer of our own dialect: JSON, whatever the view itself would render."""
    request = getattr(context.get("request"), "_request", context.get("request"))
    set_rollback()
    error = _translated(error)
    if isinstance(error, errors.InvalidInputError):
        fields = {"detail": error.message, **error.fields}
        return JsonResponse(body("Invalid request data", error.code, request, fields), status=status_of(error))
    if isinstance(error, errors.DomainError):
        status = status_of(error)
        wait = error.fields.get("retry_after", RETRY_AFTER_S)
        headers = {"Retry-After": str(wait)} if status in (429, 503) else {}
        return JsonResponse(body(error.message, error.code, request, error.fields), status=status, headers=headers)
    if not isinstance(error, exceptions.APIException):
        return None
    return _framework_error(error, request)


def _translated(error: Exception) -> Exception:
    if isinstance(error, Ratelimited):
        return exceptions.Throttled(wait=60)
    if isinstance(error, Http404):
        return exceptions.NotFound()
    if isinstance(error, PermissionDenied):
        return exceptions.PermissionDenied()
    if isinstance(error, RequestDataTooBig):
        return errors.TooLargeError("Request body is too large")
    if isinstance(error, OperationalError | InterfaceError):
        return errors.UnavailableError("The database does not answer; try again in a moment")
    return error


def _framework_error(error: exceptions.APIException, request: Any) -> JsonResponse:
    headers = {}
    if header := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = header
    if isinstance(error, exceptions.Throttled):
        headers["Retry-After"] = str(math.ceil(getattr(error, "wait", None) or RETRY_AFTER_S))
        text, code, fields = "Too many requests: slow down and try again", "rate_limited", None
    elif isinstance(error, exceptions.ValidationError):
        text, code, fields = "Invalid request data", "invalid_input", error.detail
    elif isinstance(error, exceptions.ParseError):
        text, code, fields = "Invalid request data", "invalid_input", {"body": [error.detail]}
    elif isinstance(error, exceptions.NotAuthenticated):
        text, code, fields = "Authorization token required", "not_authenticated", None
    elif isinstance(error, exceptions.AuthenticationFailed) and error.get_codes() == "no_active_account":
        text, code, fields = "Wrong username or password", "wrong_credentials", None
    elif isinstance(error, exceptions.AuthenticationFailed):
        text, code, fields = "Invalid token", "invalid_token", None
    else:
        text, code, fields = str(error.detail), str(error.default_code), None
    return JsonResponse(body(text, code, request, fields), status=error.status_code, headers=headers)


def _page(status: int, text: str, code: str, console: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    def view(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.path.startswith(CONSOLE):
            return console(request, *args, **kwargs)
        return JsonResponse(body(text, code, request), status=status)

    return view


bad_request = _page(400, "Bad request", "bad_request", defaults.bad_request)
forbidden = _page(403, "Forbidden", "forbidden", defaults.permission_denied)
not_found = _page(404, "Nothing is here; / lists where to start", "not_found", defaults.page_not_found)
server_error = _page(500, "Internal error; it has been logged", "internal_error", defaults.server_error)
csrf_failure = _page(403, "CSRF check failed: send the token of the page's form", "csrf_failed", csrf.csrf_failure)
