"""Django's settings for code that is run for each request: `settings.NAME` asks three methods on its way."""

from typing import Any

from django.conf import settings

# Where Django keeps what was asked for once; it drops from here what a test sets anew.
_KEPT: dict[str, Any] = object.__getattribute__(settings, "__dict__")


def setting(name: str) -> Any:
    """Return a setting."""
    try:
        return _KEPT[name]
    except KeyError:
        return getattr(settings, name)
