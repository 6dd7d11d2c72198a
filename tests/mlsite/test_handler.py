"""The product's own handler leads where Django's does, to the same hosts, and keeps a thread's connection as tidy."""

import io
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.exceptions import DisallowedHost
from django.core.handlers.wsgi import WSGIRequest
from django.core.signals import request_finished, request_started
from django.db import connection, connections
from django.urls import Resolver404, resolve

from mlsite.handler import MAX_KEPT, Handler, _resolved


@pytest.fixture
def handler() -> Iterator[Handler]:
    """Return the handler, and leave the signals of this process as they were."""
    signals = (request_started, request_finished)
    before = [signal.receivers[:] for signal in signals]
    yield Handler()
    for signal, receivers in zip(signals, before, strict=True):
        signal.receivers[:] = receivers


def environ_of(path: str) -> dict[str, Any]:
    return {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": path,
        "SCRIPT_NAME": "",
        "QUERY_STRING": "",
        "HTTP_HOST": "localhost",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "wsgi.input": io.BytesIO(),
        "wsgi.url_scheme": "http",
    }


NAMED = "/api/v1/models/a"


@pytest.mark.parametrize(
    "path", ["/api/v1/predict", f"{NAMED}/predict", f"{NAMED}/versions/2/predict", NAMED, "/v2", "/admin/", "/"]
)
def test_an_address_leads_where_it_did_each_time(handler: Handler, path: str) -> None:
    expected = resolve(path)
    for _ in range(2):
        request = WSGIRequest(environ_of(path))
        found = handler.resolve_request(request)
        assert request.resolver_match is found
        assert (found.func, found.kwargs, found.route) == (expected.func, expected.kwargs, expected.route)


def test_an_address_that_leads_nowhere_does_so_each_time(handler: Handler) -> None:
    for _ in range(2):
        with pytest.raises(Resolver404):
            handler.resolve_request(WSGIRequest(environ_of("/api/v1/nowhere")))


def test_only_so_many_addresses_are_kept(handler: Handler) -> None:
    for number in range(MAX_KEPT + 10):
        found = handler.resolve_request(WSGIRequest(environ_of(f"/api/v1/models/m{number}/predict")))
        assert found.kwargs == {"name": f"m{number}"}
    assert _resolved.cache_info().currsize == MAX_KEPT


@pytest.mark.parametrize(
    "host", ["example.com", "EXAMPLE.com:8000", "example.com.", "a.example.org", "[::1]:80", "localhost"]
)
def test_an_allowed_host_is_what_was_asked_for_each_time(handler: Handler, settings: Any, host: str) -> None:
    settings.ALLOWED_HOSTS = ["example.com", ".example.org", "[::1]", "localhost"]
    for kind in (WSGIRequest, handler.request_class, handler.request_class):
        assert kind(environ_of("/") | {"HTTP_HOST": host}).get_host() == host


@pytest.mark.parametrize("host", ["elsewhere.example", "exam ple.com", "example.com:port", "@", ""])
def test_another_host_is_refused_as_by_django(handler: Handler, settings: Any, host: str) -> None:
    settings.ALLOWED_HOSTS = ["example.com"]
    environ = environ_of("/") | {"HTTP_HOST": host}
    for _ in range(2):
        with pytest.raises(DisallowedHost) as ours:
            handler.request_class(environ).get_host()
        with pytest.raises(DisallowedHost) as theirs:
            WSGIRequest(environ).get_host()
        assert str(ours.value) == str(theirs.value)


def test_a_host_that_is_allowed_no_longer_is_refused(handler: Handler, settings: Any) -> None:
    request = handler.request_class(environ_of("/") | {"HTTP_HOST": "example.com"})
    settings.ALLOWED_HOSTS = ["example.com"]
    assert request.get_host() == "example.com"
    settings.ALLOWED_HOSTS = ["example.net"]
    with pytest.raises(DisallowedHost):
        request.get_host()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("signal", [request_started, request_finished])
def test_a_connection_past_its_time_is_closed_before_and_after_a_request(handler: Handler, signal: Any) -> None:
    connection.ensure_connection()
    signal.send(sender=Handler, environ={})
    assert connection.connection is not None
    connection.close_at = time.monotonic() - 1
    signal.send(sender=Handler, environ={})
    assert connection.connection is None


def test_a_request_that_needs_no_database_opens_no_connection(handler: Handler) -> None:
    seen: list[Any] = []

    def ask() -> None:
        answer = handler(environ_of("/v2"), lambda status, *_: seen.append(status))
        answer.close()
        seen.append(hasattr(connections._connections, "default"))  # type: ignore[attr-defined]

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    assert seen == ["200 OK", False]
