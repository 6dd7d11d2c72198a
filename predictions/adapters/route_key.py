"""The secret the split between canary and production goes by."""

import hashlib

from django.conf import settings


def route_key() -> bytes:
    """Return a key made from the site's secret, so that whoever knows one does not know the other."""
    return hashlib.sha256(b"route\x00" + settings.SECRET_KEY.encode()).digest()
