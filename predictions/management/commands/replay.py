"""Predict again from what was recorded."""

from typing import Any
from uuid import UUID

from django.core.management.base import CommandError, CommandParser

from features.ground.command import ActionCommand
from predictions.actions.replay import Replayed, replay, replay_sample


class Command(ActionCommand):
    """Predict one prediction again, or a sample of the log, and compare bytes."""

    help = "predict again from what was recorded and compare bytes; ends with 1 if one came out otherwise"

    def arguments(self, parser: CommandParser) -> None:
        """Declare which ones."""
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("prediction_id", metavar="PREDICTION_ID", type=UUID, nargs="?")
        which.add_argument("--sample", metavar="N", type=int, choices=range(1, 1_000_001), help="a random sample")

    def act(self, **options: Any) -> Replayed:
        """Predict again."""
        self.found = replay(options["prediction_id"]) if options["prediction_id"] else replay_sample(options["sample"])
        return self.found

    def handle(self, *args: Any, **options: Any) -> None:
        """Print what came of it, and fail if something differs."""
        super().handle(*args, **options)
        if not self.found.equal:
            raise CommandError(
                f"replay_differs: {len(self.found.different)} of {self.found.checked} came out otherwise", returncode=1
            )
