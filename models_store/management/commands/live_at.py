"""Tell which version was in production at a time."""

from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any

from features.ground.command import ActionCommand
from features.ground.errors import bounded
from models_store.actions.live_at import LiveAt, live_at
from models_store.errors import BadSpecError


class Command(ActionCommand):
    help = "Tells which version was in production at a time, who put it there and why."

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("model", metavar="MODEL")
        parser.add_argument("time", metavar="TIME", help="ISO 8601, UTC unless it says otherwise")

    def act(self, **options: Any) -> LiveAt:
        time = options["time"]
        try:
            at = datetime.fromisoformat(time)
        except ValueError as error:
            raise BadSpecError(f"the time must be ISO 8601, got {bounded(time)!r}") from error
        return live_at(options["model"], at if at.tzinfo else at.replace(tzinfo=UTC))
