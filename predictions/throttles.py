"""Rate limits of the API views."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django_ratelimit.core import get_usage
from django_redis.exceptions import ConnectionInterrupted
from redis.exceptions import RedisError
from rest_framework.exceptions import Throttled
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from predictions.adapters.limits import ENVIRON_KEY, Decision, hit, parse_rate
from predictions.errors import LimitUnavailableError


class PrincipalThrottle(BaseThrottle):
    """Count a request against its caller's limit in the view's scope, if it has one."""

    decision: Decision | None = None

    def allow_request(self, request: Request, view: Any) -> bool:
        """Tell whether the caller has a request left."""
        scope = getattr(view, "throttle_scope", None)
        if ENVIRON_KEY in request.META:
            self.decision = request.META[ENVIRON_KEY]
        elif scope is not None:
            self.decision = hit(scope, str(request.user.pk), settings.CONFIG.rate_limit)
        request.META[ENVIRON_KEY] = self.decision
        return self.decision is None or self.decision.allowed

    def wait(self) -> float | None:
        """Return the seconds until the window ends."""
        return float(self.decision.retry_after) if self.decision else None


def client_address(request: HttpRequest) -> str:
    """Return the address of the client: the peer, or what a trusted proxy says it was."""
    peer = str(request.META.get("REMOTE_ADDR") or "unknown")
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "")
    if forwarded and peer in settings.CONFIG.server.trusted_proxies:
        return str(forwarded.rsplit(",", 1)[-1].strip()[:64])
    return peer


def check_token_limit(request: HttpRequest, account: str) -> None:
    """Count a try to get a token, by address and by account, and refuse it if either has none left."""
    if (parsed := parse_rate(settings.CONFIG.token_rate_limit)) is None:
        return
    rate = f"{parsed[0]}/{parsed[1]}s"
    for group, key in (("token-address", client_address(request)), ("token-account", account[:150])):
        if not key:
            continue
        try:
            usage = get_usage(request, group=group, key=lambda *_, key=key: key, rate=rate, increment=True)
        except (RedisError, ConnectionInterrupted) as error:
            # Guessing passwords must not become free because the counter is away.
            raise LimitUnavailableError("tokens can't be issued while the limiter is away; try again soon") from error
        if usage and usage["should_limit"]:
            raise Throttled(wait=max(1, usage["time_left"]))
