"""Ids of requests and traces: taken where they are usable, bound to the log."""

from typing import Any

import pytest
import structlog
from django.http import HttpResponse
from django.test import RequestFactory

from features.ground.request_ids import request_id, trace_of
from mlsite.middleware import RequestIdMiddleware

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.mark.parametrize("given", ["a", "A-1_b.c:d", "x" * 64])
def test_a_plain_id_is_kept(given: str) -> None:
    assert request_id(given) == given


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, "a\nb", "é", "a/b"])
def test_another_id_is_replaced(given: str) -> None:
    assert len(request_id(given)) == 32


@pytest.mark.parametrize("given", [f"00-{TRACE}-{PARENT}-01", f"cc-{TRACE}-{PARENT}-00-what-comes-later"])
def test_a_trace_is_read(given: str) -> None:
    assert trace_of(given) == {"trace_id": TRACE, "parent_id": PARENT}


@pytest.mark.parametrize(
    "given",
    [
        "",
        "junk",
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-01\n",
        f"00-{TRACE}-{PARENT}-01-{'x' * 300}",
    ],
)
def test_what_is_no_trace_is_left_out(given: str) -> None:
    assert trace_of(given) == {}


def test_both_are_in_every_line_a_request_logs() -> None:
    seen: list[dict[str, Any]] = []

    def view(request: Any) -> HttpResponse:
        seen.append(structlog.contextvars.get_contextvars())
        return HttpResponse()

    headers = {"X-Request-ID": "mine-1", "traceparent": f"00-{TRACE}-{PARENT}-01"}
    response = RequestIdMiddleware(view)(RequestFactory().get("/", headers=headers))
    assert seen == [{"request_id": "mine-1", "trace_id": TRACE, "parent_id": PARENT}]
    assert response["X-Request-ID"] == "mine-1"
    assert structlog.contextvars.get_contextvars() == {}
