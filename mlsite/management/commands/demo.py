"""`manage.py demo`: a worked example on real flights."""

from typing import Any

from django.core.management.base import CommandParser

from features.ground.command import ActionCommand
from features.ground.progress import shown
from mlsite.demo.run import run_demo
from mlsite.demo.state import DemoState
from mlsite.demo.welcome import summary


class Command(ActionCommand):
    """Fill a working example from real data: every step from a file to monitored predictions."""

    help = __doc__
    writes = True

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--rows", type=int, metavar="N", help="use about N flights (default: all 336,776)")

    def act(self, **options: Any) -> DemoState:
        with shown("demo") as report:
            return run_demo(rows=options["rows"], actor=options["actor"], report=report)

    def text(self, result: DemoState) -> str:
        return summary(result)
