"""Spans of requests, predictions, promotions and runs, sent to `tracing.endpoint`.

Imported only where that is set: OpenTelemetry is an extra.
"""

import importlib
from collections.abc import Iterable
from functools import lru_cache
from multiprocessing.util import Finalize
from typing import Any

from django.conf import settings
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import SpanKind, Status, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from features.ground.tracing import trace_with, traced
from mlsite.gate import route_of
from predictions.lane import Application, Environ

# Wrapped when a web process starts, and only where tracing is configured: the others pay nothing.
POINTS = (
    ("predictions.lane", "predict_plain", "predict.plain"),
    ("predictions.lane", "predict", "predict"),
    ("predictions.views", "predict_plain", "predict.plain"),
    ("predictions.views", "predict", "predict"),
    ("predictions.views_v2", "predict", "predict"),
    ("predictions.views_mlflow", "predict", "predict"),
    ("predictions.actions.predict", "parse_payload", "predict.parse"),
    ("predictions.actions.predict", "look_up_entities", "predict.look_up"),
    ("predictions.actions.predict", "score_frame", "predict.score"),
    ("predictions.actions.predict", "explain_rows", "predict.explain"),
)
EXPORT_TIMEOUT_S = 2
SEND_EVERY_MS = 1000


def start_tracing() -> None:
    """Send this process's spans to the collector that is configured."""
    trace_with(_tracer())


def _tracer() -> Tracer:
    return _provider().get_tracer("mlsite", settings.VERSION)


@lru_cache(maxsize=1)
def _provider() -> TracerProvider:
    config = settings.CONFIG.tracing
    resource = Resource.create({"service.name": config.service, "service.version": settings.VERSION})
    provider = TracerProvider(resource=resource, sampler=ParentBased(TraceIdRatioBased(config.sample)))
    endpoint = f"{config.endpoint.get_secret_value().rstrip('/')}/v1/traces"
    exporter = OTLPSpanExporter(endpoint=endpoint, timeout=EXPORT_TIMEOUT_S)
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=SEND_EVERY_MS))
    return provider


class TracedApplication:
    """A WSGI application whose requests are spans of the trace their caller names, or of one of their own."""

    def __init__(self, application: Application) -> None:
        self._application, self._tracer = application, _tracer()
        self._headers = TraceContextTextMapPropagator()
        # A forked worker ends without atexit, but runs this: what waits is sent.
        Finalize(None, _provider().shutdown, exitpriority=5)
        for module, name, span in POINTS:
            holder = importlib.import_module(module)
            setattr(holder, name, traced(span)(getattr(holder, name)))

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        """Answer one request."""
        names = {"traceparent": "HTTP_TRACEPARENT", "tracestate": "HTTP_TRACESTATE"}
        came = {name: environ[key] for name, key in names.items() if environ.get(key)}
        method, route = environ["REQUEST_METHOD"], route_of(environ.get("PATH_INFO", ""))
        attributes = {"http.request.method": method, "http.route": route}
        with self._tracer.start_as_current_span(
            f"{method} {route}", context=self._headers.extract(came), kind=SpanKind.SERVER, attributes=attributes
        ) as span:
            # What is logged of the request names this span.
            here: dict[str, str] = {}
            self._headers.inject(here)
            environ["HTTP_TRACEPARENT"] = here["traceparent"]

            def started(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
                code = int(status[:3])
                span.set_attribute("http.response.status_code", code)
                if code >= 500:
                    span.set_status(Status(StatusCode.ERROR))
                return start_response(status, headers, *more)

            return self._application(environ, started)
