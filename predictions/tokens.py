"""Who is calling: bearer tokens, verified once and remembered for a short while."""

import logging
import threading
import time
from base64 import b64decode
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, cast

import jwt
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser
from django.db import Error as DatabaseError
from django.db import InterfaceError, OperationalError, close_old_connections
from django.utils import timezone
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from features.ground.quick_settings import setting
from features.ground.roles import ADMIN, ROLES
from predictions.actions.api_keys import note_key_used
from predictions.adapters.background import BackgroundQueue
from predictions.core.api_key import BEGINNING, is_secret, split_key
from predictions.core.caller import Caller
from predictions.models import ApiKey

logger = logging.getLogger(__name__)
MAX_TOKEN_BYTES = 4096
MAX_CACHED = 4096
# A token in use is verified again, beside its requests, once so much of its time in the cache is over.
RENEW_AT = 2 / 3
PENDING = float("inf")
# How soon the database is asked again about a token it could not be asked about.
ASK_AGAIN_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Whoever a verified token speaks for."""

    name: str
    roles: tuple[str, ...]
    expires_at: float = float("inf")
    models: frozenset[str] | None = None
    is_authenticated: bool = True
    caller: Caller = field(init=False, compare=False)

    def __post_init__(self) -> None:
        """Make the caller as the predict path knows one, once for all requests with a token."""
        object.__setattr__(self, "caller", Caller(name=self.name, roles=self.roles, models=self.models))

    @property
    def is_anonymous(self) -> bool:
        """Tell whether nobody is known; never true here, and asked for by the framework."""
        return False

    @property
    def pk(self) -> str:
        """Return the principal's name, which rate limits are keyed by."""
        return self.name


ANYONE = Principal(name="anyone", roles=ROLES)


@dataclass(slots=True)
class _Verified:
    """A principal, until when it holds, when it is verified again, and when the database last vouched for it."""

    principal: Principal
    until: float
    renew_at: float
    vouched_at: float


class _Cache:
    """Verified tokens, newest last, forgotten at their expiry or after the cache time.

    One in use is verified again in time by a thread. While the database can't be asked, what it last said holds for
    `security.token_grace_s`: nobody can be shut out then, and those who were let in go on.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: OrderedDict[str, _Verified] = OrderedDict()

    def get(self, token: str) -> Principal | None:
        entry = self._entries.get(token)
        if entry is None:
            return None
        now = time.time()
        if now >= entry.until:
            # Asked for in good time and still not answered about: the database hangs.
            return entry.principal if entry.renew_at == PENDING and self._in_grace(entry, now) else None
        if now >= entry.renew_at:
            entry.renew_at = PENDING
            _renewals.offer(token)
        return entry.principal

    def _in_grace(self, entry: _Verified, now: float) -> bool:
        """Tell whether a token holds though the database has not answered about it."""
        grace = settings.CONFIG.security.token_grace_s
        return now < min(entry.vouched_at + grace, entry.principal.expires_at)

    def put(self, token: str, principal: Principal, seconds: float) -> None:
        now = time.time()
        until = min(now + seconds, principal.expires_at)
        with self._lock:
            self._entries[token] = _Verified(principal, until, now + seconds * RENEW_AT, now)
            while len(self._entries) > MAX_CACHED:
                self._entries.popitem(last=False)

    def keep(self, token: str) -> Principal | None:
        """Let a token hold a little longer because the database can't be asked; None if its grace is over."""
        entry, now = self._entries.get(token), time.time()
        if entry is None or not self._in_grace(entry, now):
            return None
        grace = entry.vouched_at + settings.CONFIG.security.token_grace_s
        entry.until = min(now + 2 * ASK_AGAIN_S, grace, entry.principal.expires_at)
        entry.renew_at = now + ASK_AGAIN_S
        return entry.principal

    def forget(self, token: str) -> None:
        with self._lock:
            self._entries.pop(token, None)

    def clear(self) -> None:
        with self._lock:
            self._entries.clear()


verified = _Cache()


def verify_token(token: str) -> Principal:
    """Return the principal of an access token or an API key.

    Raises
    ------
    AuthenticationFailed
        If it is malformed, forged, expired, revoked, of another kind, or its user is gone or inactive.
    """
    if principal := verified.get(token):
        return principal
    if len(token) > MAX_TOKEN_BYTES:
        raise AuthenticationFailed
    try:
        return _verified_now(token)
    except (OperationalError, InterfaceError):
        if (kept := verified.keep(token)) is None:
            raise
        return kept


def _verified_now(token: str) -> Principal:
    principal = _of_key(token) if token.startswith(BEGINNING) else _of_token(token)
    verified.put(token, principal, settings.CONFIG.security.token_cache_s)
    return principal


def _renew(token: str) -> None:
    close_old_connections()
    try:
        _verified_now(token)
    except AuthenticationFailed:
        verified.forget(token)
    except DatabaseError as error:
        logger.warning("a token can't be verified again, and holds for a while: %s", error)
        if verified.keep(token) is None:
            verified.forget(token)


_renewals: BackgroundQueue[str] = BackgroundQueue(_renew, lambda: MAX_CACHED, name="renew-tokens")


def _of_key(text: str) -> Principal:
    parts = split_key(text)
    row = ApiKey.objects.filter(prefix=parts.prefix, revoked_at=None).first() if parts else None
    if parts is None or row is None or not is_secret(parts.secret, row.secret_hash) or row.expires_at <= timezone.now():
        raise AuthenticationFailed
    note_key_used(row.pk)
    return Principal(
        name=f"key:{row.name}",
        roles=tuple(role for role in row.roles if role in ROLES),
        expires_at=row.expires_at.timestamp(),
        models=frozenset(row.models) if row.models else None,
    )


def _of_token(token: str) -> Principal:
    security = settings.CONFIG.security
    required = ["exp"] if security.require_expiry else []
    required += ["jti"] if security.require_token_id else []
    required += ["iss"] if security.require_issuer else []
    required += ["aud"] if security.require_audience else []
    try:
        claims = jwt.decode(
            token,
            settings.JWT_SECRET,
            algorithms=[security.jwt_algorithm],
            issuer=security.jwt_issuer if security.require_issuer else None,
            audience=security.jwt_audience if security.require_audience else None,
            options={"require": required, "verify_aud": security.require_audience},
        )
        return _principal(claims)
    except (jwt.InvalidTokenError, ValueError, TypeError, OverflowError) as error:
        raise AuthenticationFailed from error


def _principal(claims: dict[str, Any]) -> Principal:
    if claims.get("token_type", "access") != "access":
        raise ValueError("not an access token")
    roles = tuple(role for role in claims.get("roles", ()) if role in ROLES)
    if (user_id := claims.get("user_id")) is None:
        name = f"service:{str(claims.get('sub', 'unnamed'))[:100]}"
        if not roles:
            raise ValueError("a token without a user must carry roles")
    else:
        name = _active_user_name(user_id)
    return Principal(name=name, roles=roles, expires_at=float(claims.get("exp", "inf")))


def _active_user_name(user_id: Any) -> str:
    username = get_user_model().objects.filter(pk=user_id, is_active=True).values_list("username", flat=True).first()
    if username is None:
        raise ValueError("the token's user is gone or inactive")
    return f"user:{username}"


def roles_of(user: AbstractUser) -> tuple[str, ...]:
    """Return the roles of a user: groups of those names, and admin for a superuser."""
    held = set(user.groups.filter(name__in=ROLES).values_list("name", flat=True))
    held |= {ADMIN} if user.is_superuser else set()
    return tuple(role for role in ROLES if role in held)


def bearer(header: str) -> str | None:
    """Return the token of an Authorization header, or None if it holds none.

    HTTP Basic carries it as the password, or as the name of an empty one: some clients can send nothing else.
    """
    if header.startswith("Bearer "):
        return header[7:].strip() or None
    scheme, _, value = header.partition(" ")
    value = value.strip()
    if scheme.lower() == "basic":
        value = _basic(value)
    return value if value and scheme.lower() in ("bearer", "basic") else None


def _basic(value: str) -> str:
    try:
        name, _, password = b64decode(value, validate=True).decode().partition(":")
    except ValueError:
        return value  # a token that can't be one, and is refused as such
    return password or name


def caller_of(request: Request) -> Caller:
    """Return who asks, as `BearerAuthentication` found."""
    return cast(Principal, request.user).caller


class BearerAuthentication(BaseAuthentication):
    """Authenticate an API request by its bearer token."""

    def authenticate(self, request: Request) -> tuple[Principal, str] | None:
        """Return the caller and the token; None if no token was given."""
        if not setting("CONFIG").enable_auth:
            return ANYONE, ""
        token = bearer(request._request.META.get("HTTP_AUTHORIZATION", ""))
        return (verify_token(token), token) if token else None

    def authenticate_header(self, request: Request) -> str:
        """Return the challenge of a 401."""
        return "Bearer"


class BearerScheme(OpenApiAuthenticationExtension):
    """How the OpenAPI document describes the token."""

    target_class = "predictions.tokens.BearerAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """Return the OpenAPI security scheme."""
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
