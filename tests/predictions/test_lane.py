"""The lane and Django's view give the same answers, headers and counts."""

import io
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
import pytest
from django.core.wsgi import get_wsgi_application
from django.db import OperationalError
from prometheus_client import REGISTRY

from predictions import engine
from predictions.actions.log_predictions import flush_log
from predictions.lane import Lane
from predictions.models import Prediction
from predictions.parsers import ARROW
from tests.predictions.conftest import Configure
from tests.predictions.tiny import staged

Token = Callable[..., str]
GOOD = b'{"data": [[4.0, 1.5, "red"]]}'
OWN = {"X-RateLimit-Remaining", "X-RateLimit-Reset"}


class Edge:
    """A WSGI application, and how often it was asked."""

    def __init__(self, application: Any) -> None:
        self.application = application
        self.calls = 0

    def __call__(self, environ: Any, start_response: Any) -> Any:
        self.calls += 1
        return self.application(environ, start_response)


def ask(application: Any, body: bytes = GOOD, path: str = "/api/v1/predict", **extra: str) -> Any:
    """Return status, headers and body of one request."""
    environ: dict[str, Any] = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": path,
        "SCRIPT_NAME": "",
        "QUERY_STRING": "",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(body)),
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "localhost",
        "HTTP_X_REQUEST_ID": "same-id",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.input": io.BytesIO(body),
        "wsgi.url_scheme": "http",
    }
    seen: list[Any] = []
    chunks = application(environ | extra, lambda status, headers, *_: seen.extend((status, dict(headers))))
    content = b"".join(chunks)
    if hasattr(chunks, "close"):
        chunks.close()
    return seen[0], seen[1], content


@pytest.fixture
def edges(serving: None) -> Iterator[tuple[Lane, Edge]]:
    """Return the lane and the Django behind it."""
    django = Edge(get_wsgi_application())
    lane = Lane(django)
    yield lane, django
    engine.stop()


def serve() -> None:
    staged()
    engine.refresh()


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def without_ids(content: bytes) -> bytes:
    before, _, after = content.partition(b'"prediction_id"')
    return before + after[-1:]


@pytest.mark.parametrize("path", ["/api/v1/predict", "/api/v1/models/tiny/predict"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_an_ordinary_request_is_answered_alike_by_both(
    edges: tuple[Lane, Edge], token: Token, path: str, scheme: str
) -> None:
    lane, django = edges
    serve()
    headers = {"HTTP_AUTHORIZATION": f"Bearer {token()}", "wsgi.url_scheme": scheme}
    theirs = ask(django, path=path, **headers)
    asked = django.calls
    ours = ask(lane, path=path, **headers)
    assert django.calls == asked
    assert ours[0] == theirs[0] == "200 OK"
    assert ours[1].keys() == theirs[1].keys()
    assert {k: v for k, v in ours[1].items() if k not in OWN} == {k: v for k, v in theirs[1].items() if k not in OWN}
    assert without_ids(ours[2]) == without_ids(theirs[2])
    assert [int(h["X-RateLimit-Remaining"]) for h in (theirs[1], ours[1])] == [99, 98]


def test_an_arrow_stream_is_answered_alike_by_both(edges: tuple[Lane, Edge], token: Token) -> None:
    lane, django = edges
    serve()
    headers = {"HTTP_AUTHORIZATION": f"Bearer {token()}", "CONTENT_TYPE": ARROW}
    body = stream({"length": [4.0, 5.5], "width": [1.5, None], "colour": ["red", "blue"]})
    theirs = ask(django, body, **headers)
    asked = django.calls
    ours = ask(lane, body, **headers)
    assert django.calls == asked
    assert ours[0] == theirs[0] == "200 OK"
    assert {k: v for k, v in ours[1].items() if k not in OWN} == {k: v for k, v in theirs[1].items() if k not in OWN}
    first, second = (pa.ipc.open_stream(content).read_all() for content in (ours[2], theirs[2]))
    assert first.schema.remove_metadata() == second.schema.remove_metadata()
    assert first.to_pylist() == second.to_pylist()
    same = [b"model", b"version", b"role"]
    assert [first.schema.metadata[name] for name in same] == [second.schema.metadata[name] for name in same]
    wrong = ask(lane, body[:-30], **headers)
    assert (wrong[0], django.calls) == ("400 Bad Request", asked + 1)


def stream(columns: dict[str, list[Any]]) -> bytes:
    """Return columns as an Arrow stream."""
    table = pa.table(columns)
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


@pytest.mark.parametrize(
    ("body", "extra"),
    [
        (b'{"data": [[1]]}', {}),
        (b'{"data": [[1e999, 1, "red"]]}', {}),
        (b"", {}),
        (GOOD, {"CONTENT_TYPE": "text/plain"}),
        (GOOD, {"HTTP_AUTHORIZATION": ""}),
        (GOOD, {"HTTP_AUTHORIZATION": "Bearer nonsense"}),
        (GOOD, {"HTTP_ACCEPT": "text/html"}),
        (GOOD, {"HTTP_HOST": "elsewhere.example"}),
        (GOOD, {"PATH_INFO": "/api/v1/models/nope/predict"}),
        (GOOD, {"PATH_INFO": "/api/v1/models/a b/predict"}),
        (GOOD, {"REQUEST_METHOD": "PUT"}),
        (GOOD, {"CONTENT_LENGTH": "9999999"}),
        (GOOD, {"CONTENT_LENGTH": "²"}),
        (GOOD, {"QUERY_STRING": "x=1"}),
        (GOOD, {"HTTP_COOKIE": "sessionid=x"}),
        (b'{"entities": ["N1"]}', {}),
    ],
)
def test_anything_else_is_answered_by_django_alike(
    edges: tuple[Lane, Edge], token: Token, body: bytes, extra: dict[str, str]
) -> None:
    lane, django = edges
    serve()
    headers = {"HTTP_AUTHORIZATION": f"Bearer {token()}"} | extra
    theirs = ask(django, body, **headers)
    asked = django.calls
    ours = ask(lane, body, **headers)
    assert django.calls == asked + 1
    assert ours[0] == theirs[0]
    assert {k: v for k, v in ours[1].items() if k not in OWN} == {k: v for k, v in theirs[1].items() if k not in OWN}
    assert without_ids(ours[2]) == without_ids(theirs[2])


def test_a_request_handed_over_is_counted_once(edges: tuple[Lane, Edge], token: Token, configure: Configure) -> None:
    configure(rate_limit="3/hour")
    lane, django = edges
    serve()
    headers = {"HTTP_AUTHORIZATION": f"Bearer {token()}"}
    ask(django, **headers)
    statuses = [ask(lane, body, **headers) for body in (b'{"data": [[1]]}', GOOD, GOOD)]
    assert [status for status, _, _ in statuses] == ["400 Bad Request", "200 OK", "429 Too Many Requests"]
    assert [h["X-RateLimit-Remaining"] for _, h, _ in statuses] == ["1", "0", "0"]
    assert int(statuses[2][1]["Retry-After"]) > 0


def test_a_caller_without_the_role_is_refused(edges: tuple[Lane, Edge], token: Token) -> None:
    lane, _ = edges
    serve()
    headers = {"HTTP_AUTHORIZATION": f"Bearer {token('readonly')}"}
    assert [ask(lane, **headers)[0] for _ in range(2)] == ["403 Forbidden"] * 2


def test_the_lane_asks_no_token_where_access_is_open(edges: tuple[Lane, Edge], configure: Configure) -> None:
    configure(enable_auth=False)
    lane, django = edges
    serve()
    assert ask(lane)[0] == "200 OK"
    assert django.calls == 0


def test_an_error_nobody_named_is_told_by_django(
    edges: tuple[Lane, Edge], token: Token, monkeypatch: pytest.MonkeyPatch
) -> None:
    lane, django = edges
    serve()
    production = engine.serving("tiny").production
    assert production is not None

    def away(frame: Any) -> Any:
        raise OperationalError("the database is away")

    headers = {"HTTP_AUTHORIZATION": f"Bearer {token()}"}
    assert ask(lane, **headers)[0] == "200 OK"  # from now on the lane knows the token
    monkeypatch.setattr(production.runtime, "score", away)
    status, _, content = ask(lane, GOOD.replace(b"4.0", b"5.0"), **headers)
    assert status == "503 Service Unavailable"
    assert b"The database does not answer" in content
    assert django.calls == 2


def test_both_count_the_same_metrics_and_write_the_same_log(edges: tuple[Lane, Edge], token: Token) -> None:
    lane, django = edges
    serve()
    headers = {"HTTP_AUTHORIZATION": f"Bearer {token()}"}
    names = [
        ("http_requests_total", {"method": "POST", "route": "api/v1/predict", "status": "200"}),
        ("http_request_duration_seconds_count", {"method": "POST", "route": "api/v1/predict"}),
        ("request_duration_seconds_by_model_count", {"model": "tiny", "version": "1"}),
        ("prediction_confidence_count", {"model": "tiny"}),
        ("prediction_log_accepted_total", {}),
    ]
    for edge in (django, lane):
        before = [counted(name, **labels) for name, labels in names]
        ask(edge, **headers)
        assert [counted(name, **labels) for name, labels in names] == [value + 1 for value in before]
    engine.stop()
    flush_log()
    rows = Prediction.objects.values("request_id", "principal", "inputs", "outputs", "role", "source", "columns")
    assert rows[0] == rows[1]
