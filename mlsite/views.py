"""Where the site introduces itself and says how it is."""

import hmac
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from rest_framework.exceptions import AuthenticationFailed, NotAuthenticated
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from features.ground.errors import DomainError
from mlsite import __version__
from mlsite.health import run_checks
from predictions import engine, metrics
from predictions.parsers import JsonAlways
from predictions.serializers import ErrorSerializer
from predictions.tokens import bearer

LINKS = {
    "docs": "/apidocs/",
    "schema": "/api/v1/schema",
    "health": "/api/v1/health",
    "predict": "/api/v1/predict",
    "models": "/api/v1/models",
    "metrics": "/api/v1/metrics",
    "admin": "/admin/",
}


class OpenView(APIView):
    """A view anyone may read."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    content_negotiation_class = JsonAlways


class WelcomeView(OpenView):
    """Where to start."""

    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> Response:
        """Welcome."""
        text = "Welcome: every step of a model's life is a row here, and every prediction can be traced."
        return Response({"message": text, "version": __version__, "links": LINKS})


class HealthView(OpenView):
    """Everything at a glance; the status is in the body, so that a page can always be read."""

    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> Response:
        """Health of the process, what it stands on, and what it serves."""
        checks, model = run_checks(), _model()
        well = all(check.ok for check in checks) and not model.get("error")
        status = "error" if model["version"] is None else "ready" if well else "degraded"
        found = {check.name: {"ok": check.ok, "detail": check.detail} for check in checks}
        return Response({"status": status, "timestamp": _now(), "model": model, "checks": found})


class LiveView(OpenView):
    """The process answers."""

    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> Response:
        """Liveness, for a probe that restarts."""
        return Response({"status": "live", "timestamp": _now()})


class ReadyView(OpenView):
    """A model is loaded; nothing else is needed to predict."""

    @extend_schema(responses={200: OpenApiTypes.OBJECT, 503: OpenApiTypes.OBJECT})
    def get(self, request: Request) -> Response:
        """Readiness, for a probe that routes."""
        model = _model()
        if model["version"] is not None:
            return Response({"status": "ready", "timestamp": _now(), "model": model})
        text = model.get("error") or "no model is loaded: promote a version first"
        request_id = getattr(request, "request_id", "")
        body = {"error": text, "code": "no_model", "request_id": request_id, "status": "error"}
        return Response(body, status=503, headers={"Retry-After": "1"})


class MetricsView(OpenView):
    """What Prometheus scrapes."""

    def get_authenticate_header(self, request: Request) -> str:
        """Return the challenge of a 401."""
        return "Bearer"

    @extend_schema(responses={(200, "text/plain"): str, 401: ErrorSerializer})
    def get(self, request: Request) -> HttpResponse:
        """Metrics of all processes."""
        _refuse_strangers(request)
        return HttpResponse(generate_latest(metrics.registry()), content_type=CONTENT_TYPE_LATEST)


def _refuse_strangers(request: Request) -> None:
    wanted = settings.CONFIG.security.metrics_token.get_secret_value()
    if not wanted:
        return
    given = bearer(request.headers.get("Authorization", ""))
    if given is None:
        raise NotAuthenticated
    if not hmac.compare_digest(given.encode(), wanted.encode()):
        raise AuthenticationFailed


def _model() -> dict[str, Any]:
    try:
        models = engine.status()
    except DomainError as error:
        return {"name": None, "version": None, "loaded_at": None, "error": error.message}
    loaded = next((model for model in models if model.version is not None), None)
    shown: dict[str, Any] = {"name": None, "version": None, "loaded_at": None}
    if loaded:
        shown = {"name": loaded.name, "version": loaded.version, "loaded_at": loaded.loaded_at}
    errors = "; ".join(model.error for model in models if model.error)
    return {**shown, "error": errors} if errors else shown


def _now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")
