"""Who calls the API in tests."""

from uuid import uuid4

import jwt
from django.conf import settings


def bearer(*roles: str, sub: str = "caller") -> dict[str, str]:
    """Return the header of a token with these roles."""
    claims = {"exp": 4_000_000_000, "jti": uuid4().hex, "sub": sub, "roles": roles}
    claims |= {"iss": "mlsite", "aud": "mlsite-api"}
    return {"Authorization": f"Bearer {jwt.encode(claims, settings.JWT_SECRET, algorithm='HS256')}"}
