"""Spans: of a real server's requests as a collector receives them, and of promotions and runs."""

import gzip
import importlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from features.ground.errors import DomainError
from features.ground.tracing import trace_with, traced
from mlsite import tracing
from mlsite.config.schema import ROOT
from models_store.actions.promote import promote
from pipeline.actions.runs_execute import run_inline
from tests.predictions.tiny import register
from tests.served import copied_site

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
UNSAMPLED = "5" * 32
DEFAULT, VERSION = "/api/v1/predict", "/api/v1/models/tiny/versions/1/predict"
GOOD = b'{"data": [[4.0, 1.5, "red"]]}'


class Collector(ThreadingHTTPServer):
    """Takes what an exporter sends."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.spans: list[Any] = []


class _Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        body = gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body
        assert self.path == "/v1/traces"
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            for scope in resource.scope_spans:
                self.server.spans += scope.spans
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_served_request_is_a_span_of_its_callers_trace(
    collector: Collector, tmp_path_factory: pytest.TempPathFactory
) -> None:
    site = copied_site(tmp_path_factory)
    headers = {"Authorization": f"Bearer {site.tokens['user']}", "Content-Type": "application/json"}
    sampled, not_sampled = f"00-{TRACE}-{PARENT}-01", f"00-{UNSAMPLED}-{PARENT}-00"
    with (
        site.served(TRACING__ENDPOINT=f"http://127.0.0.1:{collector.server_port}") as server,
        httpx.Client(base_url=server.base, headers=headers, timeout=60) as client,
    ):
        # The first is Django's, the second is answered by the lane, and both meet the third.
        for path, body in ((VERSION, GOOD), (DEFAULT, GOOD.replace(b"4.0", b"5.0")), (DEFAULT, b"nonsense")):
            client.post(path, content=body, headers={"traceparent": sampled})
        client.post("/api/v1/predict", content=GOOD, headers={"traceparent": not_sampled})
    mine = [span for span in collector.spans if span.trace_id.hex() == TRACE]
    assert [span for span in collector.spans if span.trace_id.hex() == UNSAMPLED] == []
    roots = [span for span in mine if span.parent_span_id.hex() == PARENT]
    routes = ["api/v1/models/<slug:name>/versions/<int:number>/predict", "api/v1/predict", "api/v1/predict"]
    assert [span.name for span in roots] == [f"POST {route}" for route in routes]
    statuses = [{one.key: one.value for one in span.attributes}["http.response.status_code"] for span in roots]
    assert [status.int_value for status in statuses] == [200, 200, 400]
    below: dict[bytes, list[str]] = {span.span_id: [] for span in mine}
    for span in mine:
        if span not in roots:
            below[span.parent_span_id].append(span.name)
    through_django, by_the_lane, by_both = roots
    predict = next(span for span in mine if span.parent_span_id == through_django.span_id)
    assert predict.name == "predict"
    assert below[predict.span_id] == ["predict.parse", "predict.score"]
    assert below[by_the_lane.span_id] == ["predict.plain"]
    assert below[by_both.span_id] == ["predict.plain", "predict.plain"]


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace_with(provider.get_tracer("test"))
    yield exporter
    trace_with(None)


@pytest.mark.django_db(transaction=True)
def test_promotions_and_runs_are_spans_and_tell_of_refusals(spans: InMemorySpanExporter, var_dir: Any) -> None:
    version = register()
    promote(str(version), target_stage="production", reason="test", actor="cli:test")
    with pytest.raises(DomainError):
        promote("tiny@9", target_stage="production", reason="test", actor="cli:test")
    run = run_inline("noop", {}, actor="cli:test")
    found = spans.get_finished_spans()
    assert [(span.name, span.status.is_ok) for span in found] == [("promote", True), ("promote", False), ("run", True)]
    assert dict(found[0].attributes or {}) == {"promotion.version": "tiny@1", "promotion.stage": "production"}
    assert (found[2].attributes or {})["run.id"] == str(run.pk)


def test_a_function_without_a_tracer_is_called_as_it_is() -> None:
    assert traced("x")(divmod)(7, 2) == (3, 1)


def test_every_point_that_is_wrapped_is_there() -> None:
    for module, name, _ in tracing.POINTS:
        assert callable(getattr(importlib.import_module(module), name)), f"{module}.{name}"


def test_nothing_of_it_is_imported_where_tracing_is_off(var_dir: Any) -> None:
    # Some libraries look at what is installed of it; its spans and exporters are ours to leave out.
    code = (
        "import sys, mlsite.wsgi as w; print(type(w.application).__name__, 'mlsite.tracing' in sys.modules,"
        " [m for m in sys.modules if m.startswith(('opentelemetry.exporter', 'opentelemetry.sdk.trace.export'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "Lane False []"
