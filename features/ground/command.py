"""The base of the project's commands: options every one has, one JSON object or a short text."""

import dataclasses
import getpass
import json
from abc import abstractmethod
from datetime import date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import structlog
from django.core.management.base import BaseCommand, CommandParser

from features.ground.request_ids import request_id


def plain(value: Any) -> Any:
    """Return dataclasses, times, paths and identifiers as JSON-compatible values."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Path | UUID):
        return str(value)
    raise TypeError(f"no JSON form for {type(value).__name__}")


class ActionCommand(BaseCommand):
    """A command that calls one action and prints what it returned.

    Subclasses give `arguments` and `act`; `text` turns the result into lines for a person.
    Refusals are raised as they come: `mlsite.cli` prints them and chooses the exit code.
    """

    requires_system_checks: list[str] = []
    writes = False
    has_preview = False

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the command's own options, then those every command has."""
        self.arguments(parser)
        parser.add_argument("--json", action="store_true", help="print exactly one JSON object on stdout")
        if self.writes:
            parser.add_argument("--actor", metavar="USER", help="who asks (default: the OS user, as cli:NAME)")
        if self.has_preview:
            parser.add_argument("--dry-run", action="store_true", help="say what would be done and write nothing")

    def arguments(self, parser: CommandParser) -> None:
        """Declare the command's own options."""

    @abstractmethod
    def act(self, **options: Any) -> Any:
        """Call the action; return a dataclass or a dict."""

    def text(self, result: Any) -> str:
        """Return the result as a short text for a person."""
        body = json.loads(json.dumps(result, default=plain))
        return "\n".join(f"{key}: {value}" for key, value in body.items())

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the action and print its result."""
        if self.writes:
            options["actor"] = options.get("actor") or f"cli:{getpass.getuser()}"
        # As a request has an id, so has the running of a command: what it brings about is audited under it.
        bound = structlog.contextvars.get_contextvars().get("request_id") or request_id("")
        with structlog.contextvars.bound_contextvars(request_id=bound):
            result = self.act(**options)
        if result is not None:
            self.stdout.write(json.dumps(result, default=plain) if options["json"] else self.text(result))
