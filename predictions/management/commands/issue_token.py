"""Print an access token."""

from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser

from features.ground.command import ActionCommand
from features.ground.roles import ROLES
from predictions.actions.issue_token import issue_token


class Command(ActionCommand):
    """Give a user an access token; in development the user is made if needed."""

    help = "print an access token for a user; in development the user is made and given the role"

    writes = True

    def arguments(self, parser: CommandParser) -> None:
        """Declare who, as what and for how long."""
        parser.add_argument("user", metavar="USER")
        parser.add_argument("--role", choices=ROLES, default="user")
        parser.add_argument("--minutes", type=int, choices=range(1, 1441), metavar="1-1440")

    def act(self, **options: Any) -> dict[str, Any]:
        """Issue the token."""
        issued = issue_token(
            options["user"],
            role=options["role"],
            minutes=options["minutes"],
            create=settings.CONFIG.app_env == "dev",
            actor=options["actor"],
        )
        return {"token": issued.token, "role": issued.role, "expires_at": issued.expires_at}
