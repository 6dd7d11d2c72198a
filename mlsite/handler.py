"""Django's WSGI handler without what it does again for each request and nothing here needs."""

from functools import lru_cache
from typing import Any

from django.conf import settings
from django.core.cache import close_caches
from django.core.handlers.base import reset_urlconf
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.core.signals import request_finished, request_started
from django.db import DEFAULT_DB_ALIAS, close_old_connections, connections, reset_queries
from django.http import HttpRequest
from django.urls import ResolverMatch, get_resolver

from features.ground.quick_settings import setting
from predictions.lane import is_known_host

MAX_KEPT = 512


class _Request(WSGIRequest):
    def get_host(self) -> str:
        """Return the host that is asked for; one that was found to be allowed is not looked at again."""
        host = self.META.get("HTTP_HOST", "")
        return host if is_known_host(host, *setting("ALLOWED_HOSTS")) else super().get_host()


class Handler(WSGIHandler):
    """Answer requests as Django does, but keep where addresses lead: there are a hundred routes to try in turn."""

    request_class = _Request

    def __init__(self) -> None:
        super().__init__()
        _tidy_less()

    def resolve_request(self, request: HttpRequest) -> ResolverMatch:
        """Return what an address leads to, and leave it with the request."""
        match = request.resolver_match = _resolved(request.path_info)
        return match


@lru_cache(maxsize=MAX_KEPT)
def _resolved(path: str) -> ResolverMatch:
    return get_resolver().resolve(path)


def _tidy_less() -> None:
    """Look after a thread's database connection only where it has one; most requests to predict use none.

    Nothing here sets another urlconf, queries are kept only with `DEBUG`, and no cache of ours has anything to close.
    """
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
        signal.connect(_close_old_connections)
    request_finished.disconnect(close_caches)
    request_finished.disconnect(reset_urlconf)
    if not settings.DEBUG:
        request_started.disconnect(reset_queries)


def _close_old_connections(**_: Any) -> None:
    known = connections._connections  # type: ignore[attr-defined]  # the types don't know it
    if (connection := getattr(known, DEFAULT_DB_ALIAS, None)) is not None:
        connection.close_if_unusable_or_obsolete()
