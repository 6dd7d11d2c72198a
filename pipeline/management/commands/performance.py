"""`manage.py performance`: how good served predictions turned out to be."""

from typing import Any

from django.core.management.base import CommandParser

from features.ground.command import ActionCommand
from pipeline.actions.performance import Performance, measure_performance
from pipeline.management.options import moment, window


class Command(ActionCommand):
    """Measure served predictions against the outcomes known at a time, version by version."""

    help = __doc__

    def arguments(self, parser: CommandParser) -> None:
        """Declare the model, the window and the point of view."""
        parser.add_argument("model", metavar="MODEL[@N]")
        parser.add_argument("--window", type=window, default=720.0, metavar="30d", help="how far back (default 30d)")
        parser.add_argument("--known-at", type=moment, metavar="TIME", help="with the outcomes known by then")

    def act(self, **options: Any) -> Performance:
        """Measure."""
        return measure_performance(options["model"], window_hours=options["window"], known_at=options["known_at"])

    def text(self, result: Performance) -> str:
        """Return a line for each version and metric, beside what it was on the test part."""
        lines = []
        for item in result.versions:
            lines.append(f"{item.version}: {item.labelled} of {item.rows} rows have an outcome")
            for name, value in item.metrics.items():
                before = f"  test {item.test[name]:.4f}" if name in item.test else ""
                lines.append(f"  {name:<18} {value:.4f}{before}")
        return "\n".join(lines)
