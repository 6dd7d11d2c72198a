"""The one table from errors to HTTP statuses, and the one shape every API error has."""

import json
import math
import sys
from collections.abc import Callable
from dataclasses import replace
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, UnreadablePostError
from django.views import csrf, defaults
from django_ratelimit.exceptions import Ratelimited
from rest_framework import exceptions
from rest_framework.views import set_rollback

from features.ground import errors
from mlsite.refusals import console_actor, keep_refusal
from predictions.core.dialects import Fault, dialect_of, error_body

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
DATABASE_AWAY = "The database does not answer; try again in a moment"
CONSOLE = "/admin/"
# Another site's page sent it: that is nobody's deed.
CSRF_FAILED = "csrf_failed"


def status_of(error: errors.DomainError) -> int:
    """Return the HTTP status of an error."""
    return next(STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES)


def refusal(request: Any, status: int, text: str, code: str, fields: Any = None) -> JsonResponse:
    """Return an error in the shape of the dialect its address belongs to; a 503 says when to try again."""
    headers = {"Retry-After": str(RETRY_AFTER_S)} if status == HTTPStatus.SERVICE_UNAVAILABLE else {}
    return _answer(request, Fault(status=status, text=text, code=code, fields=fields, headers=headers))


def _answer(request: Any, fault: Fault) -> JsonResponse:
    # NaN and infinity are no JSON: they become their names.
    fields = json.loads(json.dumps(fault.fields, default=str), parse_constant=str) if fault.fields else None
    dialect, request_id = dialect_of(getattr(request, "path", "")), getattr(request, "request_id", "")
    shown = error_body(dialect, replace(fault, fields=fields), request_id)
    return JsonResponse(shown, status=fault.status, headers=fault.headers)


def exception_handler(error: Exception, context: dict[str, Any]) -> JsonResponse | None:
    """Turn what a view raised into an answer of our own dialect: JSON, whatever the view itself would render."""
    request = getattr(context.get("request"), "_request", context.get("request"))
    set_rollback()
    error = _translated(error)
    if isinstance(error, exceptions.APIException):
        _keep(error, request, context)
    fault = fault_of(error)
    return None if fault is None else _answer(request, fault)


def fault_of(error: Exception) -> Fault | None:
    """Return what an exception says to whoever asked; None if it is a fault of our own."""
    error = _translated(error)
    if isinstance(error, errors.InvalidInputError):
        fields = {"detail": error.message, **error.fields}
        return Fault(status=status_of(error), text="Invalid request data", code=error.code, fields=fields)
    if isinstance(error, errors.DomainError):
        status = status_of(error)
        wait = error.fields.get("retry_after", RETRY_AFTER_S)
        headers = {"Retry-After": str(wait)} if status in (429, 503) else {}
        return Fault(status=status, text=error.message, code=error.code, fields=error.fields, headers=headers)
    return _framework_fault(error) if isinstance(error, exceptions.APIException) else None


def _keep(error: exceptions.APIException, request: Any, context: dict[str, Any]) -> None:
    """Audit what is refused by role or form; an action audits its own refusals, and asking a model is no deed."""
    caller = getattr(context.get("request"), "user", None)
    refused = isinstance(error, exceptions.PermissionDenied | exceptions.ValidationError | exceptions.ParseError)
    if refused and getattr(context.get("view"), "writes", True):
        keep_refusal(request, actor=getattr(caller, "name", ""), code=str(error.default_code), why=error.detail)


def _translated(error: Exception) -> Exception:
    if isinstance(error, Ratelimited):
        return exceptions.Throttled(wait=60)
    if isinstance(error, Http404):
        return exceptions.NotFound()
    if isinstance(error, PermissionDenied):
        return exceptions.PermissionDenied()
    if isinstance(error, RequestDataTooBig):
        return errors.TooLargeError("Request body is too large")
    if isinstance(error, UnreadablePostError):
        return errors.InvalidInputError("The client went away before the whole body was there")
    if isinstance(error, OperationalError | InterfaceError):
        return errors.UnavailableError(DATABASE_AWAY)
    return error


def _framework_fault(error: exceptions.APIException) -> Fault:
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
    return Fault(status=error.status_code, text=text, code=code, fields=fields, headers=headers)


def _page(status: int, text: str, code: str, console: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    def view(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.path.startswith(CONSOLE):
            if status == HTTPStatus.FORBIDDEN and code != CSRF_FAILED:
                keep_refusal(request, actor=console_actor(request), code=code, why=text)
            return console(request, *args, **kwargs)
        return refusal(request, status, text, code)

    return view


bad_request = _page(400, "Bad request", "bad_request", defaults.bad_request)
forbidden = _page(403, "Forbidden", "forbidden", defaults.permission_denied)
not_found = _page(404, "Nothing is here; / lists where to start", "not_found", defaults.page_not_found)
_internal_error = _page(500, "Internal error; it has been logged", "internal_error", defaults.server_error)


def server_error(request: HttpRequest) -> HttpResponse:
    """Say what went wrong where no view could: in the console, and in what stands around the views."""
    error = sys.exc_info()[1]
    if not isinstance(error, OperationalError | InterfaceError):
        return _internal_error(request)
    headers = {"Retry-After": str(RETRY_AFTER_S)}
    if request.path.startswith(CONSOLE):
        return HttpResponse(f"{DATABASE_AWAY}.", status=503, content_type="text/plain", headers=headers)
    return refusal(request, 503, DATABASE_AWAY, errors.UnavailableError.code)


csrf_failure = _page(403, "CSRF check failed: send the token of the page's form", CSRF_FAILED, csrf.csrf_failure)
