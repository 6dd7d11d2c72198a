"""`snapshot`: freeze a training set."""

from typing import Any

from django.core.management.base import CommandParser

from features.actions.take_snapshot import take_snapshot
from features.adapters.times import utc_time
from features.ground.command import ActionCommand
from features.ground.progress import shown


class Command(ActionCommand):
    help = "Freeze labels and the features known at each label's own time."
    writes = True

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--dataset", required=True, metavar="D[@N]", help="the labels")
        parser.add_argument("--view", action="append", default=[], metavar="V", help="a feature view to join")
        parser.add_argument("--as-of", metavar="TIME", help="only labels that were known by then")

    def act(self, **options: Any) -> dict[str, Any]:
        as_of = utc_time(options["as_of"]) if options["as_of"] else None
        how = {"dataset": options["dataset"], "views": options["view"], "as_of": as_of, "actor": options["actor"]}
        with shown(f"snapshot {options['name']}") as report:
            made = take_snapshot(options["name"], **how, report=report)
        columns = [column["name"] for column in made.columns]
        return {"snapshot": made.pk, "rows": made.rows, "columns": columns, "fingerprint": made.fingerprint}
