"""Who is calling: bearer tokens, verified once and remembered for a short while."""

import threading
import time
from base64 import b64decode
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, cast

import jwt
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser
from django.utils import timezone
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from features.ground.roles import ADMIN, ROLES
from predictions.actions.api_keys import note_key_used
from predictions.core.api_key import BEGINNING, is_secret, split_key
from predictions.core.caller import Caller
from predictions.models import ApiKey

MAX_TOKEN_BYTES = 4096
MAX_CACHED = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Whoever a verified token speaks for."""

    name: str
    roles: tuple[str, ...]
    expires_at: float = float("inf")
    models: frozenset[str] | None = None
    is_authenticated: bool = True

    @property
    def is_anonymous(self) -> bool:
        """Tell whether nobody is known; never true here, and asked for by the framework."""
        return False

    @property
    def caller(self) -> Caller:
        """Return the caller as the predict path knows one."""
        return Caller(name=self.name, roles=self.roles, models=self.models)

    @property
    def pk(self) -> str:
        """Return the principal's name, which rate limits are keyed by."""
        return self.name


ANYONE = Principal(name="anyone", roles=ROLES)


class _Cache:
    """Verified tokens, newest last, forgotten at their expiry or after the cache time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: OrderedDict[str, tuple[float, Principal]] = OrderedDict()

    def get(self, token: str) -> Principal | None:
        entry = self._entries.get(token)
        return entry[1] if entry and entry[0] > time.time() else None

    def put(self, token: str, principal: Principal, seconds: float) -> None:
        with self._lock:
            self._entries[token] = (min(time.time() + seconds, principal.expires_at), principal)
            while len(self._entries) > MAX_CACHED:
                self._entries.popitem(last=False)

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
    principal = _of_key(token) if token.startswith(BEGINNING) else _of_token(token)
    verified.put(token, principal, settings.CONFIG.security.token_cache_s)
    return principal


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
        if not settings.CONFIG.enable_auth:
            return ANYONE, ""
        token = bearer(request.headers.get("Authorization", ""))
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
