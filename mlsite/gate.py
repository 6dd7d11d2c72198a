"""The door of a web process: how many requests it lets in at once, and what it says to the others."""

import time
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

from django.urls import Resolver404, resolve

from features.ground.quick_settings import setting
from features.ground.request_ids import request_id
from mlsite.api import refusal
from predictions import metrics
from predictions.adapters.crew import OTHER, PREDICT, Seat, Work, crew, most_in_progress
from predictions.errors import OverloadedError
from predictions.lane import Application, Environ

# Asked by those who decide whether this process is well: they are always let in.
ALWAYS = ("/api/v1/health", "/api/v1/metrics", "/v2/health/")
PREDICTS = ("/predict", "/infer", "/invocations")
ALWAYS_TOO = frozenset(("/ping", "/health", "/version"))

TOO_MUCH = {
    "in_progress": "{} requests are in progress here, and no more are taken",
    "slow_senders": "{} clients send their bodies slowly, and no more are waited for",
}


class Gate:
    """Let in as many requests of a kind as `server.max_in_progress`, and answer 503 to the others at once."""

    def __init__(self, application: Application) -> None:
        self.application = application
        crew.start()

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        """Answer one request."""
        seat, work = crew.seat(), PREDICT if environ.get("PATH_INFO", "").endswith(PREDICTS) else OTHER
        crew.enter(seat, work)
        if crew.is_near_bounds and (refused := _refused(environ, work)) is not None:
            crew.leave(seat)
            return _say(refused, environ, start_response)
        environ["wsgi.input"] = _Body(environ["wsgi.input"], seat)
        # Who may rest later must know how the answer ends.
        sent = _Sent(start_response) if crew.is_crowded else start_response
        try:
            answer = self.application(environ, sent)
        except OverloadedError as error:
            crew.leave(seat)
            return _say(error, environ, start_response)
        except BaseException:
            crew.leave(seat)
            raise
        if type(answer) is not tuple:
            if type(answer) is not list and not _is_whole(answer):
                return _Answer(answer, seat, may_rest=_may_rest(environ, sent))
            # Whole: its request ends before the client can have it, and ask again.
            answer, close = tuple(answer), getattr(answer, "close", None)
            if close:
                close()
        if crew.leave(seat) and _may_rest(environ, sent):
            return _Answer(answer, seat, may_rest=True)
        return answer


class _Body:
    """A body that says when its sender is waited for, and is refused if by then too much is in progress."""

    __slots__ = ("_input", "_seat")

    def __init__(self, body: Any, seat: Seat) -> None:
        self._input, self._seat = body, seat

    def read(self, *size: int) -> bytes:
        """Read up to so many bytes."""
        return self._read(self._input.read, *size)

    def readline(self, *size: int) -> bytes:
        """Read a line."""
        return self._read(self._input.readline, *size)

    def _read(self, read: Callable[..., bytes], *size: int) -> bytes:
        seat = self._seat
        seat.is_reading = True
        try:
            part = read(*size)
        finally:
            has_room = crew.end_reading(seat)
        if not has_room:
            raise _too_much("in_progress", most_in_progress(seat.work))
        return part

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.readline, b"")


class _Sent:
    """What an answer's headers say of its end."""

    __slots__ = ("_start", "has_length")

    def __init__(self, start_response: Any) -> None:
        self._start, self.has_length = start_response, False

    def __call__(self, status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
        self.has_length = any(name.lower() == "content-length" for name, _ in headers)
        return self._start(status, headers, *more)


def _is_whole(answer: Any) -> bool:
    """Tell whether an answer of Django's is all there; one that does not say its length is sent in chunks."""
    return not getattr(answer, "streaming", True) and "Content-Length" in answer.headers


def _may_rest(environ: Environ, sent: Any) -> bool:
    """Tell whether a thread may rest in the end of its answer: the client must have all of it by then."""
    return (
        isinstance(sent, _Sent)
        and sent.has_length
        and environ.get("SERVER_SOFTWARE") == "Granian"
        and environ.get("SERVER_PROTOCOL", "").startswith("HTTP/1")
    )


class _Answer:
    """An answer that ends its request when it is sent, after which its thread may rest."""

    __slots__ = ("_answer", "_may_rest", "_parts", "_seat")

    def __init__(self, answer: Iterable[bytes], seat: Seat, *, may_rest: bool) -> None:
        self._answer, self._seat, self._may_rest = answer, seat, may_rest
        self._parts = iter(answer)

    def __iter__(self) -> Iterator[bytes]:
        return self._parts

    def __next__(self) -> bytes:
        return next(self._parts)

    def close(self) -> None:
        """End the request."""
        try:
            if close := getattr(self._answer, "close", None):
                close()
        finally:
            if crew.leave(self._seat) and self._may_rest:
                crew.rest(self._seat)


def _refused(environ: Environ, work: Work) -> OverloadedError | None:
    """Return why a request is not let in, if it is not; it is counted already."""
    busy, slow = crew.in_progress(work) - 1, crew.reading()
    is_full = busy >= most_in_progress(work)
    if not is_full and slow < setting("CONFIG").server.max_slow_senders:
        return None
    path = environ.get("PATH_INFO", "")
    if path.startswith(ALWAYS) or path in ALWAYS_TOO:
        return None
    if is_full:
        return _too_much("in_progress", busy)
    if environ.get("CONTENT_LENGTH", "0") in ("", "0") and "HTTP_TRANSFER_ENCODING" not in environ:
        return None
    return _too_much("slow_senders", slow)


def _too_much(reason: str, count: int) -> OverloadedError:
    metrics.overloaded_total.labels(reason).inc()
    return OverloadedError(TOO_MUCH[reason].format(count), reason=reason)


def _say(error: OverloadedError, environ: Environ, start_response: Any) -> Iterable[bytes]:
    started = time.perf_counter()
    asked = SimpleNamespace(
        path=environ.get("PATH_INFO", ""), request_id=request_id(environ.get("HTTP_X_REQUEST_ID", ""))
    )
    answer = refusal(asked, 503, error.message, error.code, error.fields)
    answer["Content-Length"] = str(len(answer.content))
    answer["X-Request-ID"] = asked.request_id
    answer["X-Content-Type-Options"] = "nosniff"
    method, route = environ["REQUEST_METHOD"], route_of(asked.path)
    metrics.observe_request(method, route, 503, time.perf_counter() - started)
    start_response("503 Service Unavailable", list(answer.items()))
    return [answer.content]


@lru_cache(maxsize=256)
def route_of(path: str) -> str:
    """Return the route of an address, as the metrics name it."""
    try:
        return resolve(path).route or "/"
    except Resolver404:
        return "unmatched"
