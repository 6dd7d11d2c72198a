"""Callbacks of the admin console, named in the settings."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.templatetags.static import static

from mlsite.console.dashboard import dashboard_panels, first_steps
from mlsite.console.navigation import sidebar

__all__ = ["dashboard", "environment", "icon", "script", "sidebar", "stylesheet"]

ENVIRONMENT_KINDS = {"prod": "danger", "staging": "warning"}


def environment(request: HttpRequest) -> list[str]:
    """Return the badge that says which environment this is."""
    name = settings.CONFIG.app_env
    return [name, ENVIRONMENT_KINDS.get(name, "info")]


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Return the dashboard's context."""
    return {**context, "title": "Dashboard", "hint": first_steps(request), "panels": dashboard_panels()}


def stylesheet(request: HttpRequest) -> str:
    """Return the address of the console's own styles."""
    return static("console/console.css")


def script(request: HttpRequest) -> str:
    """Return the address of what makes the console's dialogs usable by a keyboard."""
    return static("console/dialog.js")


def icon(request: HttpRequest | None = None) -> str:
    """Return the address of the site's icon."""
    return static("console/icon.svg")
