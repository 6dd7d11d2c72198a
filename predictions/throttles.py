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

from features.ground.quick_settings import setting
from predictions.adapters.limits import ENVIRON_KEY, Decision, hit, note_redis_away, parse_rate, redis_is_away
from predictions.errors import LimitUnavailableError

AWAY = "nobody can sign in while the limiter is away; try again soon"


class PrincipalThrottle(BaseThrottle):
    """Count a request against its caller's limit in the view's scope, if it has one."""

    decision: Decision | None = None

    def allow_request(self, request: Request, view: Any) -> bool:
        """Tell whether the caller has a request left."""
        scope = getattr(view, "throttle_scope", None)
        meta = request._request.META
        if ENVIRON_KEY in meta:
            self.decision = meta[ENVIRON_KEY]
        elif scope is not None:
            self.decision = hit(scope, str(request.user.pk), setting("CONFIG").rate_limit)
        meta[ENVIRON_KEY] = self.decision
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
    count_try(request, "token", settings.CONFIG.token_rate_limit, account)


def count_try(request: HttpRequest, scope: str, rate: str, account: str) -> None:
    """Count a try to sign in, by address and by account.

    Raises
    ------
    Throttled
        If either has none left.
    LimitUnavailableError
        If Redis should count and is away: guessing passwords must not become free then.
    """
    if (parsed := parse_rate(rate)) is None:
        return
    for group, key in ((f"{scope}-address", client_address(request)), (f"{scope}-account", account[:150])):
        wait = 0
        if key and settings.REDIS_URL:
            wait = _wait_in_redis(request, group, key, f"{parsed[0]}/{parsed[1]}s")
        elif key:
            decision = hit(group, key, rate)
            wait = decision.retry_after if decision and not decision.allowed else 0
        if wait:
            raise Throttled(wait=wait)


def _wait_in_redis(request: HttpRequest, group: str, key: str, rate: str) -> int:
    if redis_is_away():
        # Known already: whoever tries to sign in must not hold up those who ask for predictions.
        raise LimitUnavailableError(AWAY)
    try:
        usage = get_usage(request, group=group, key=lambda *_: key, rate=rate, increment=True)
    except (RedisError, ConnectionInterrupted) as error:
        note_redis_away(error)
        raise LimitUnavailableError(AWAY) from error
    return max(1, usage["time_left"]) if usage and usage["should_limit"] else 0
