"""Compute recorded routes again."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from features.ground.command import ActionCommand
from models_store.management.lines import parse_time
from predictions.actions.audit_routes import RouteAudit, audit_routes


class Command(ActionCommand):
    """Prove that each recorded prediction went to the version the split says."""

    help = "compute every recorded route again; ends with 1 if one is wrong"

    def arguments(self, parser: CommandParser) -> None:
        """Declare which ones."""
        parser.add_argument("model", metavar="MODEL", nargs="?", help="one model's; those of all by default")
        parser.add_argument("--since", metavar="TIME", help="leave out older ones")

    def act(self, **options: Any) -> RouteAudit:
        """Check them."""
        since = parse_time(options["since"]) if options["since"] else None
        self.found = audit_routes(options["model"], since=since)
        return self.found

    def handle(self, *args: Any, **options: Any) -> None:
        """Print what was found, and fail if a route is wrong."""
        super().handle(*args, **options)
        if not self.found.ok:
            raise CommandError(f"wrong_route: {self.found.wrong} of {self.found.checked} are wrong", returncode=1)
