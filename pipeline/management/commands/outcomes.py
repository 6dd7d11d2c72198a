"""`manage.py outcomes`: report what really happened."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from features.ground.command import ActionCommand
from pipeline.adapters.outcome_files import read_outcomes
from predictions.actions.record_outcomes import record_outcomes


class Command(ActionCommand):
    """Record a file of outcomes by prediction id; all of them or, if one is wrong, none."""

    help = __doc__
    writes = True

    def arguments(self, parser: CommandParser) -> None:
        """Declare the file."""
        parser.add_argument(
            "file",
            type=Path,
            metavar="FILE",
            help=".jsonl, .csv or .parquet with prediction_id, actual and perhaps row, observed_at, known_at",
        )

    def act(self, **options: Any) -> Any:
        """Record them."""
        items = read_outcomes(options["file"])
        recorded = record_outcomes(items, actor=options["actor"])
        return {"outcomes": len(items), "recorded": recorded, "known_before": len(items) - recorded}
