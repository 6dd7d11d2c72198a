"""`snapshot`: freeze a training set."""

from typing import Any

from django.core.management.base import CommandParser

from features.actions.take_snapshot import take_snapshot
from features.adapters.times import utc_time
from features.ground.command import ActionCommand
from features.ground.progress import shown

SAME = ("dataset", "actor", "accept", "reason")


class Command(ActionCommand):
    help = "Freeze labels and the features known at each label's own time."
    writes = True

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--dataset", required=True, metavar="D[@N]", help="the labels")
        parser.add_argument("--view", action="append", default=[], metavar="V", help="a feature view to join")
        parser.add_argument("--as-of", metavar="TIME", help="only labels that were known by then")
        parser.add_argument("--accept", action="append", default=[], metavar="FINDING", help="of the leakage check")
        parser.add_argument("--reason", default="", metavar="TEXT", help="why what is accepted does no harm; audited")

    def act(self, **options: Any) -> dict[str, Any]:
        as_of = utc_time(options["as_of"]) if options["as_of"] else None
        how = {"views": options["view"], "as_of": as_of, **{key: options[key] for key in SAME}}
        with shown(f"snapshot {options['name']}") as report:
            made = take_snapshot(options["name"], **how, report=report)
        columns = [column["name"] for column in made.columns]
        found = made.leakage.get("findings", [])
        body = {"snapshot": made.pk, "rows": made.rows, "columns": columns, "fingerprint": made.fingerprint}
        return {**body, "findings": found}

    def text(self, result: dict[str, Any]) -> str:
        head = f"snapshot {result['snapshot']}: {result['rows']:,} rows, {len(result['columns'])} columns"
        lines = [f"fingerprint: {result['fingerprint']}", f"columns: {', '.join(result['columns'])}"]
        return "\n".join([head, *lines, *(_finding(one) for one in result["findings"])])


def _finding(one: dict[str, Any]) -> str:
    word = f"accepted by {one['by']} ({one['reason']})" if one["accepted"] else "note"
    return f"{word}: {one['name']}: {one['text']}"
