"""`materialize`: newest values into the online store."""

from typing import Any

from django.core.management.base import CommandParser

from features.actions.materialize import MaterializeResult, materialize
from features.adapters.times import utc_time
from features.ground.command import ActionCommand
from features.ground.progress import shown


class Command(ActionCommand):
    help = "Compute a view's newest values for every entity and serve them."
    writes = True

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("view")
        parser.add_argument("--as-of", metavar="TIME", help="default: just after the newest known row")
        parser.add_argument("--full", action="store_true", help="compute all, not only what can have changed")

    def act(self, **options: Any) -> MaterializeResult:
        as_of = utc_time(options["as_of"]) if options["as_of"] else None
        how = {"as_of": as_of, "full": options["full"], "actor": options["actor"]}
        with shown(f"materialize {options['view']}") as report:
            return materialize(options["view"], **how, report=report)
