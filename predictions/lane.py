"""A WSGI edge in front of Django that answers the common predict request, and hands over everything else."""

import io
import re
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from django.conf import settings
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpRequest, HttpResponse
from django.http.request import split_domain_port, validate_host
from django.urls import resolve, reverse
from django.utils.module_loading import import_string

from features.ground.quick_settings import setting
from features.ground.request_ids import request_id
from predictions import engine, metrics, tokens
from predictions.actions.log_predictions import log
from predictions.actions.predict import PredictRequest, predict
from predictions.actions.predict_plain import predict_plain
from predictions.adapters.limits import ENVIRON_KEY, Decision, counts_at_once, hit
from predictions.adapters.slow import note_slow
from predictions.noted import NotedRequests
from predictions.parsers import ARROW

Environ = dict[str, Any]
Application = Callable[[Environ, Any], Iterable[bytes]]
JSON = "application/json"
# What a body may be and its answer is, by what the client calls it.
FORMS = {JSON: JSON, f"{JSON}; charset=utf-8": JSON, f"{JSON};charset=utf-8": JSON, ARROW: ARROW}
ACCEPTED = {JSON: frozenset(("", "*/*", JSON, f"{JSON}, */*")), ARROW: frozenset(("", "*/*", ARROW))}
_NAME = re.compile(r"[-a-zA-Z0-9_]+")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Routes:
    """The two paths the lane knows, and what the metrics call them."""

    default: str
    default_label: str
    before: str
    after: str
    named_label: str

    def find(self, path: str) -> tuple[str | None, str] | None:
        """Return the model's name and the label of a path, or None if it is another's."""
        if path == self.default:
            return None, self.default_label
        if path.startswith(self.before) and path.endswith(self.after):
            name = path[len(self.before) : -len(self.after)]
            if _NAME.fullmatch(name):
                return name, self.named_label
        return None


class Head(NamedTuple):
    """All that an ordinary request says before its body; many requests of a client say the same."""

    model: str | None
    label: str
    meters: NotedRequests
    form: str
    length: int
    token: str | None
    request_id: str
    headers: tuple[tuple[str, str], ...]


class Said(NamedTuple):
    """The answer to an ordinary request, and what the limit says of it; headers beside those of the head."""

    content: bytes
    request_id: str
    decision: Decision | None


class Lane:
    """Answer a POST to a predict route that is wholly ordinary; leave the rest to Django.

    Anything unusual goes on: another header, a token not seen before, a limit reached, an error of
    any kind. Django then sees the same body, and the rate limit's decision if one was made.
    """

    def __init__(self, application: Application) -> None:
        self.application = application
        engine.start()
        log.start()

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        """Answer one request."""
        started = time.perf_counter()
        if environ["REQUEST_METHOD"] == "POST" and (head := head_of(environ)) is not None:
            principal = caller_of(head)
            if principal is not None:
                decision = counted(environ, principal)
                if decision is None or decision.allowed:
                    body = environ["wsgi.input"].read(head.length)
                    said = answer(head, principal, decision, body)
                    if said is not None:
                        note(head, said, started)
                        start_response("200 OK", [*head.headers, *said_headers(said)])
                        return (said.content,)
                    environ["wsgi.input"] = io.BytesIO(body)
        return self.application(environ, start_response)


def head_of(environ: Environ) -> Head | None:
    """Return what a POST says before its body, or None if anything about that is unusual."""
    found = _route(environ.get("PATH_INFO", ""))
    form = FORMS.get(environ.get("CONTENT_TYPE", "").lower()) if found else None
    if found is None or form is None or not (length := _ordinary_length(environ, form)):
        return None
    token = tokens.bearer(environ.get("HTTP_AUTHORIZATION", ""))
    scheme, forwarded = environ.get("wsgi.url_scheme", "http"), environ.get("HTTP_X_FORWARDED_PROTO", "")
    given = environ.get("HTTP_X_REQUEST_ID", "")
    return Head(*found, form, length, token, given, _fixed_headers(form, scheme, forwarded[:8]))


def caller_of(head: Head) -> tokens.Principal | None:
    """Return the caller if the token was verified a short while ago and its roles suffice."""
    config = setting("CONFIG")
    if not config.enable_auth:
        return tokens.ANYONE
    principal = tokens.verified.get(head.token) if head.token else None
    if principal is not None:
        for role in principal.roles:
            if role in config.allowed_roles:
                return principal
    return None


def is_counted_at_once() -> bool:
    """Tell whether `count` waits for nobody."""
    return setting("CONFIG").rate_limit == "off" or counts_at_once()


def is_loaded(form: str) -> bool:
    """Tell whether what reads a kind of body is there; the library that reads Arrow streams takes a second to load."""
    return form is not ARROW or "pyarrow" in sys.modules


def count(principal: tokens.Principal) -> Decision | None:
    """Count a request against its caller's limit."""
    return hit("predict", principal.name, setting("CONFIG").rate_limit)


def counted(environ: Environ, principal: tokens.Principal) -> Decision | None:
    """Count a request that was not counted before, and leave word of it."""
    decision: Decision | None = environ.get(ENVIRON_KEY) or count(principal)
    environ[ENVIRON_KEY] = decision
    return decision


def id_of(head: Head) -> str:
    """Return the id of a request: its caller's, or a new one."""
    return request_id(head.request_id)


def answer(
    head: Head, principal: tokens.Principal, decision: Decision | None, body: bytes, *, plain_only: bool = False
) -> Said | None:
    """Return the answer to a body; None if Django has to say what is wrong with it, or if it is not the plain case."""
    asked_by, caller, arrow = request_id(head.request_id), principal.caller, head.form is ARROW
    try:
        content = predict_plain(body, caller=caller, request_id=asked_by, model=head.model, arrow=arrow)
        if content is None and not arrow and not plain_only:
            asked = PredictRequest(
                principal=caller.name, caller=caller, request_id=asked_by, model=head.model, body=body
            )
            content = predict(asked).json()
    except Exception:  # noqa: BLE001 (Django's view meets the same, says it in full and logs it)
        return None
    return None if content is None else Said(content, asked_by, decision)


def said_headers(said: Said) -> list[tuple[str, str]]:
    """Return the headers that are an answer's own."""
    headers = [("Content-Length", str(len(said.content)))]
    if said.decision is not None:
        headers += said.decision.headers()
    headers.append(("X-Request-ID", said.request_id))
    return headers


def note(head: Head, said: Said, started: float) -> None:
    """Count an answer, and say so if it took long."""
    seconds = time.perf_counter() - started
    head.meters.note(seconds)
    note_slow("POST", head.label, 200, seconds, request_id=said.request_id)


@lru_cache(maxsize=256)
def _route(path: str) -> tuple[str | None, str, NotedRequests] | None:
    """Return the model's name, the label of a path and its metrics, or None if it is another's."""
    found = _routes().find(path)
    return None if found is None else (*found, metrics.route_meters("POST", found[1], 200))


@lru_cache(maxsize=1)
def _routes() -> _Routes:
    default, named = reverse("predict"), reverse("predict-model", args=["NAME"])
    before, _, after = named.partition("NAME")
    return _Routes(
        default=default,
        default_label=resolve(default).route,
        before=before,
        after=after,
        named_label=resolve(named).route,
    )


def _ordinary_length(environ: Environ, form: str) -> int:
    """Return the length of the body if nothing about the request is unusual, else 0."""
    find = environ.get
    length = find("CONTENT_LENGTH") or ""
    ordinary = (
        find("HTTP_ACCEPT", "") in ACCEPTED[form]
        and not find("QUERY_STRING")
        and not find("SCRIPT_NAME")
        and "HTTP_TRANSFER_ENCODING" not in environ
        and "HTTP_CONTENT_ENCODING" not in environ
        # A session that is over is ended by its middleware, in the answer's headers.
        and "HTTP_COOKIE" not in environ
        and length.isascii()
        and length.isdigit()
        and len(length) < 10
        and is_known_host(find("HTTP_HOST", ""), *setting("ALLOWED_HOSTS"))
    )
    return int(length) if ordinary and int(length) <= setting("CONFIG").security.max_request_size else 0


@lru_cache(maxsize=256)
def is_known_host(host: str, *allowed: str) -> bool:
    """Tell whether a Host header names one of the allowed hosts."""
    domain, _ = split_domain_port(host)
    return bool(domain) and validate_host(domain, allowed)


@lru_cache(maxsize=16)
def _fixed_headers(form: str, scheme: str, forwarded: str) -> tuple[tuple[str, str], ...]:
    """Return the answer's type, and the headers Django's middleware would add to it."""

    def empty(request: HttpRequest) -> HttpResponse:
        response = HttpResponse(headers={"Allow": "POST, OPTIONS", "Vary": "Accept"})
        del response["Content-Type"]
        return response

    handler: Callable[[HttpRequest], Any] = empty
    for name in reversed([name for name in settings.MIDDLEWARE if name in settings.HEADER_MIDDLEWARE]):
        handler = import_string(name)(handler)
    environ = {"REQUEST_METHOD": "POST", "PATH_INFO": _routes().default, "wsgi.input": io.BytesIO()}
    environ |= {"wsgi.url_scheme": scheme, "SERVER_NAME": "localhost", "SERVER_PORT": "80"}
    environ |= {"HTTP_X_FORWARDED_PROTO": forwarded} if forwarded else {}
    return ("Content-Type", form), *handler(WSGIRequest(environ)).items()
