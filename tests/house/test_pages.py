"""The documents name what exists: every route, every command."""

import re

import pytest
from django.core.management import BaseCommand, get_commands, load_command_class

from mlsite.config.schema import ROOT
from tests.house.routes import walk
from tests.house.source import APPS

# Reached from the console and the API's own page, not by hand.
UNLISTED = ("/admin/", "/static/")
# Said once for all commands.
EVERYWHERE = {"--json"} | {
    name for action in BaseCommand().create_parser("manage.py", "any")._actions for name in action.option_strings
}


def own_commands() -> set[str]:
    return {command for command, app in get_commands().items() if app in APPS}


def test_every_command_has_a_section():
    sections = set(re.findall(r"^## `(\w+)", (ROOT / "docs/commands.md").read_text(), re.M))
    assert sorted(own_commands() - sections) == []
    assert sorted(sections - own_commands()) == []


@pytest.mark.parametrize("command", sorted(own_commands()))
def test_every_option_of_a_command_is_in_its_section(command):
    section = re.search(rf"^## `{command}`\n(.*?)(?=^## |\Z)", (ROOT / "docs/commands.md").read_text(), re.M | re.S)
    parser = load_command_class(get_commands()[command], command).create_parser("manage.py", command)
    options = {name for action in parser._actions for name in action.option_strings if name.startswith("--")}
    assert sorted(name for name in options - EVERYWHERE if section is None or f"`{name}" not in section[1]) == []


def test_every_route_is_named():
    page = (ROOT / "docs/api.md").read_text()
    routes = {written.rstrip("/") or "/" for written, _, _ in walk() if not written.startswith(UNLISTED)}
    assert sorted(route for route in routes if f"{route}`" not in page and f"{route}/`" not in page) == []
