"""Access tokens made without a password, as the API's own ones look."""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import jwt
from django.conf import settings


@dataclass(frozen=True, kw_only=True, slots=True)
class IssuedToken:
    """A signed access token, whose it is and how long it holds."""

    token: str
    user: str
    role: str
    expires_at: datetime


def encode_access(user_id: int, user: str, role: str, minutes: int | None) -> IssuedToken:
    """Return a token of one role; it holds as long as the API's own if no minutes are given."""
    security = settings.CONFIG.security
    now = datetime.now(UTC)
    expires_at = now + timedelta(minutes=security.token_expire_minutes if minutes is None else minutes)
    claims = {
        "token_type": "access",
        "user_id": str(user_id),
        "roles": [role],
        "jti": uuid.uuid4().hex,
        "iat": now,
        "exp": expires_at,
        "iss": security.jwt_issuer,
        "aud": security.jwt_audience,
    }
    token = jwt.encode(claims, settings.JWT_SECRET, algorithm=security.jwt_algorithm)
    return IssuedToken(token=token, user=user, role=role, expires_at=expires_at)
