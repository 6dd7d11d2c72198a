"""Keys for services."""

from typing import Any

from django.core.management.base import CommandParser

from features.ground.command import ActionCommand
from features.ground.roles import ROLES
from predictions.actions.api_keys import new_key, revoke_key
from predictions.models import ApiKey


class Command(ActionCommand):
    """Make, list and revoke the keys services call the API with."""

    help = "make a key (shown once), list keys, revoke one"
    writes = True

    def arguments(self, parser: CommandParser) -> None:
        """Declare what to do, and what a new key is good for."""
        parser.add_argument("what", choices=("new", "list", "revoke"))
        parser.add_argument("name", metavar="NAME", nargs="?", default="", help="of the key")
        parser.add_argument("--role", action="append", choices=ROLES, help="what it may do; user by default")
        parser.add_argument("--model", action="append", default=[], help="a model it is good for; all by default")
        parser.add_argument("--days", type=int, default=90, help="how long it holds, 1 to 366; 90 by default")

    def act(self, **options: Any) -> Any:
        """Do it."""
        name, actor = options["name"], options["actor"]
        if options["what"] == "list":
            return {"keys": [described(key) for key in ApiKey.objects.order_by("name")]}
        if options["what"] == "revoke":
            return {"name": name, "revoked": revoke_key(name, actor=actor)}
        roles = options["role"] or ["user"]
        return new_key(name, roles=roles, models=options["model"], days=options["days"], actor=actor)


def described(key: ApiKey) -> dict[str, Any]:
    """Return what may be shown of a key."""
    names = ("name", "prefix", "roles", "models", "expires_at", "revoked_at", "last_used_at", "created_by")
    return {name: getattr(key, name) for name in names}
