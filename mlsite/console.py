"""Callbacks of the admin console."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest


def environment(request: HttpRequest) -> list[str]:
    """Return the badge that says which environment this is."""
    name = settings.CONFIG.app_env
    return [name, {"prod": "danger", "staging": "warning"}.get(name, "info")]


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Return the dashboard's context."""
    return context
