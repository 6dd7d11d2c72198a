"""What happens to every request Django sees."""

import re
import time
from collections.abc import Callable

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django_otp.plugins.otp_totp.models import TOTPDevice

from features.ground.request_ids import request_id, trace_of
from mlsite.api import refusal
from predictions import metrics
from predictions.adapters.limits import ENVIRON_KEY
from predictions.adapters.slow import note_slow

GetResponse = Callable[[HttpRequest], HttpResponse]


class RequestIdMiddleware:
    """Take or make a request id, bind it and the caller's trace to the logs, and echo the id."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.request_id = request_id(request.headers.get("X-Request-ID", ""))  # type: ignore[attr-defined]  # set here for all below
        trace = trace_of(request.headers.get("traceparent", ""))
        with structlog.contextvars.bound_contextvars(request_id=request.request_id, **trace):  # type: ignore[attr-defined]  # set above
            response = self.get_response(request)
        response["X-Request-ID"] = request.request_id  # type: ignore[attr-defined]  # set above
        return response


class RateLimitHeadersMiddleware:
    """Tell a caller whose request was counted how many are left."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        decision = request.META.get(ENVIRON_KEY)
        for name, value in decision.headers() if decision else ():
            response[name] = value
        return response


class ConsolePolicyMiddleware:
    """Let the console's own pages evaluate expressions; stands inside the middleware that writes the policy."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if request.path.startswith("/admin/"):
            response._csp_update = settings.CONSOLE_CSP  # type: ignore[attr-defined]  # read by django-csp
        return response


# Where one sets the second factor up, leaves, or comes in.
WITHOUT_FACTOR = ("/admin/second-factor/", "/admin/logout/", "/admin/login/", "/admin/jsi18n/")


class SecondFactorMiddleware:
    """Where a second factor is required, let nobody without one past the page that sets it up."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        asked = settings.CONFIG.security.second_factor == "required" and request.path.startswith("/admin/")
        if asked and request.path not in WITHOUT_FACTOR and request.user.is_authenticated:
            found = TOTPDevice.objects.filter(user_id=request.user.pk, confirmed=True)
            if not found.exists():
                return HttpResponseRedirect("/admin/second-factor/")
        return self.get_response(request)


class MetricsMiddleware:
    """Count and time every request by method, route and status."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        started = time.perf_counter()
        response = self.get_response(request)
        match = request.resolver_match
        route = (match.route or "/") if match else "unmatched"
        seconds = time.perf_counter() - started
        metrics.observe_request(request.method or "", route, response.status_code, seconds)
        note_slow(request.method or "", route, response.status_code, seconds)
        return response


# The console streams its files itself, and so does the route that uploads one to a dataset, each to a limit of its own.
UPLOADS = re.compile(r"/admin/|/api/v1/datasets/[\w-]+/versions\Z")


class BodyLimitMiddleware:
    """Refuse a body over the limit before anything reads it."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if "Transfer-Encoding" in request.headers and "Content-Length" not in request.headers:
            return refusal(request, 411, "Send a Content-Length: bodies in chunks are not read", "length_required")
        limit = settings.CONFIG.security.max_request_size
        length = request.headers.get("Content-Length") or "0"
        if length.isdigit() and int(length) > limit and not UPLOADS.match(request.path):
            text = f"Request body is too large: at most {limit} bytes, got {length}"
            return refusal(request, 413, text, "too_large", {"limit": limit, "got": int(length)})
        return self.get_response(request)
