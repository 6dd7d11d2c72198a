"""Tell which version was in production at a time."""

from argparse import ArgumentParser
from typing import Any

from features.ground.command import ActionCommand
from models_store.actions.live_at import LiveAt, live_at
from models_store.management.lines import parse_time


class Command(ActionCommand):
    help = "Tells which version was in production at a time, who put it there and why."

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("model", metavar="MODEL")
        parser.add_argument("time", metavar="TIME", help="ISO 8601, UTC unless it says otherwise")

    def act(self, **options: Any) -> LiveAt:
        at = parse_time(options["time"])
        return live_at(options["model"], at)
