"""What happens to every request Django sees."""

import re
import time
from collections.abc import Callable
from typing import cast

from csp.middleware import CSPMiddleware
from django.conf import settings
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.middleware.csrf import CsrfViewMiddleware
from django_otp.plugins.otp_totp.models import TOTPDevice
from structlog.contextvars import bind_contextvars, reset_contextvars

from features.ground.quick_settings import setting
from features.ground.request_ids import request_id, trace_of
from mlsite.api import refusal
from predictions import metrics
from predictions.adapters.limits import ENVIRON_KEY
from predictions.adapters.slow import note_slow
from predictions.core.dialects import MLFLOW_ROOT

GetResponse = Callable[[HttpRequest], HttpResponse]


class RequestIdMiddleware:
    """Take or make a request id, bind it and the caller's trace to the logs, and echo the id."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        asked_by = request_id(request.META.get("HTTP_X_REQUEST_ID", ""))
        request.request_id = asked_by  # type: ignore[attr-defined]  # set here for all below
        traceparent = request.META.get("HTTP_TRACEPARENT")
        bound = bind_contextvars(request_id=asked_by, **(trace_of(traceparent) if traceparent else {}))
        try:
            response = self.get_response(request)
        finally:
            reset_contextvars(**bound)
        response.headers["X-Request-ID"] = asked_by
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


class PolicyMiddleware:
    """Say what a page may load; the console's own pages may evaluate expressions besides."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self._writer = CSPMiddleware(get_response)
        # Without a nonce or anything else that is a page's own, all policies are this one.
        usual = self._writer.process_response(HttpRequest(), HttpResponse())
        self._usual = [(name, value) for name, value in usual.items() if name != "Content-Type"]

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if setting("DEBUG") or request.path.startswith("/admin/"):
            return self._of_page(request)
        response = self.get_response(request)
        for name, value in self._usual:
            response.headers.setdefault(name, value)
        return response

    def _of_page(self, request: HttpRequest) -> HttpResponse:
        self._writer.process_request(request)
        response = self.get_response(request)
        if request.path.startswith("/admin/"):
            response._csp_update = settings.CONSOLE_CSP  # type: ignore[attr-defined]  # read by django-csp
        return cast(HttpResponse, self._writer.process_response(request, response))


# Where programs ask, with a token in each request.
API = ("/api/", "/v2", "/mlflow/", *MLFLOW_ROOT)
# What only a browser with cookies has: a session, who is signed in by it, and what the next page is told.
OF_SESSIONS = (SessionMiddleware, AuthenticationMiddleware, CsrfViewMiddleware, MessageMiddleware)


class CookielessMiddleware:
    """Lead a request to the API that has no cookie past all that is about sessions; stands in front of it.

    A view that looks for a session there finds none and fails, and a form without a cookie's token is refused as
    ever, when its view is called: nobody gets further for want of these steps.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = self.past = get_response
        of_sessions = (*OF_SESSIONS, SecondFactorMiddleware)
        while isinstance(step := getattr(self.past, "__wrapped__", None), of_sessions):
            self.past = cast(GetResponse, step.get_response)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.META.get("HTTP_COOKIE") or not request.path.startswith(API):
            return self.get_response(request)
        return self.past(request)


# Where one sets the second factor up, leaves, or comes in.
WITHOUT_FACTOR = ("/admin/second-factor/", "/admin/logout/", "/admin/login/", "/admin/jsi18n/")


class SecondFactorMiddleware:
    """Where a second factor is required, let nobody without one past the page that sets it up."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        asked = setting("CONFIG").security.second_factor == "required" and request.path.startswith("/admin/")
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
        meta = request.META
        if "HTTP_TRANSFER_ENCODING" in meta and "CONTENT_LENGTH" not in meta:
            return refusal(request, 411, "Send a Content-Length: bodies in chunks are not read", "length_required")
        limit = setting("CONFIG").security.max_request_size
        length = meta.get("CONTENT_LENGTH") or "0"
        if length.isdigit() and int(length) > limit and not UPLOADS.match(request.path):
            text = f"Request body is too large: at most {limit} bytes, got {length}"
            return refusal(request, 413, text, "too_large", {"limit": limit, "got": int(length)})
        return self.get_response(request)
