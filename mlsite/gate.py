"""How a web process refuses what is too much: which kind of request it is, and what is said in its dialect."""

import time
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from types import SimpleNamespace
from typing import Any

from django.urls import Resolver404, resolve

from features.ground.request_ids import request_id
from mlsite.api import refusal
from predictions import metrics
from predictions.adapters.crew import Work, most_in_progress
from predictions.errors import OverloadedError
from predictions.lane import Environ

# Asked by those who decide whether this process is well: they are always let in.
ALWAYS = ("/api/v1/health", "/api/v1/metrics", "/v2/health/")
ALWAYS_TOO = frozenset(("/ping", "/health", "/version"))
Answer = tuple[str, list[tuple[str, str]], bytes]
PREDICTS = ("/predict", "/infer", "/invocations")

TOO_MUCH = {
    "in_progress": "{} requests are in progress here, and no more are taken",
    "slow_senders": "{} clients send their bodies slowly, and no more are waited for",
}


def work_of(path: str) -> Work:
    """Return which bound a request counts against."""
    return Work.PREDICT if path.endswith(PREDICTS) else Work.OTHER


def is_always_let_in(path: str) -> bool:
    """Tell whether a request is answered however much is in progress."""
    return path.startswith(ALWAYS) or path in ALWAYS_TOO


def too_many(work: Work) -> OverloadedError:
    """Return and count the refusal of one more request of a kind."""
    return _too_much("in_progress", most_in_progress(work))


def too_slow(count: int) -> OverloadedError:
    """Return and count the refusal of one more who sends slowly."""
    return _too_much("slow_senders", count)


def _too_much(reason: str, count: int) -> OverloadedError:
    metrics.overloaded_total.labels(reason).inc()
    return OverloadedError(TOO_MUCH[reason].format(count), reason=reason)


def say(error: OverloadedError, environ: Environ) -> Answer:
    """Return status, headers and body of a refusal."""
    return _said(environ, HTTPStatus.SERVICE_UNAVAILABLE, error.message, error.code, error.fields)


def say_late(environ: Environ, seconds: float) -> Answer:
    """Return status, headers and body for a short body that is not there after so long."""
    text = f"The body was not there after {seconds:.0f} seconds"
    return _said(environ, HTTPStatus.REQUEST_TIMEOUT, text, "body_too_slow")


def say_failed(method: str, path: str) -> Answer:
    """Return status, headers and body for a request that got no answer by a fault of ours, which is in the log."""
    environ = {"REQUEST_METHOD": method, "PATH_INFO": path}
    return _said(environ, HTTPStatus.INTERNAL_SERVER_ERROR, "Internal error; it has been logged", "internal_error")


def _said(environ: Environ, status: HTTPStatus, text: str, code: str, fields: Any = None) -> Answer:
    started, path = time.perf_counter(), environ.get("PATH_INFO", "")
    headers, content = _refusal(path, environ.get("HTTP_X_REQUEST_ID", ""), status, text, code, fields)
    metrics.observe_request(environ["REQUEST_METHOD"], route_of(path), status, time.perf_counter() - started)
    return f"{status} {status.phrase}", headers, content


def say_unread(path: str, status: HTTPStatus, code: str, text: str) -> bytes:
    """Return the answer to what can't be read as a request; its connection ends with it."""
    headers, content = _refusal(path, "", status, text, code)
    lines = [f"HTTP/1.1 {status} {status.phrase}", f"Date: {formatdate(usegmt=True)}"]
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1") + content


def _refusal(
    path: str, given_id: str, status: int, text: str, code: str, fields: Any = None
) -> tuple[list[tuple[str, str]], bytes]:
    asked = SimpleNamespace(path=path, request_id=request_id(given_id))
    answer = refusal(asked, status, text, code, fields)
    answer["Content-Length"] = str(len(answer.content))
    answer["X-Request-ID"] = asked.request_id
    answer["X-Content-Type-Options"] = "nosniff"
    return list(answer.items()), answer.content


@lru_cache(maxsize=256)
def route_of(path: str) -> str:
    """Return the route of an address, as the metrics name it."""
    try:
        return resolve(path).route or "/"
    except Resolver404:
        return "unmatched"
