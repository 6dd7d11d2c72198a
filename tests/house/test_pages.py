"""The documents name what exists: every route, every command."""

import re

from django.core.management import get_commands

from mlsite.config.schema import ROOT
from tests.house.routes import walk
from tests.house.source import APPS

# Reached from the console and the API's own page, not by hand.
UNLISTED = ("/admin/", "/static/")


def own_commands() -> set[str]:
    return {command for command, app in get_commands().items() if app in APPS}


def test_every_command_has_a_section():
    sections = set(re.findall(r"^## `(\w+)", (ROOT / "docs/commands.md").read_text(), re.M))
    assert sorted(own_commands() - sections) == []
    assert sorted(sections - own_commands()) == []


def test_every_route_is_named():
    page = (ROOT / "docs/api.md").read_text()
    routes = {written.rstrip("/") or "/" for written, _, _ in walk() if not written.startswith(UNLISTED)}
    assert sorted(route for route in routes if f"{route}`" not in page and f"{route}/`" not in page) == []
