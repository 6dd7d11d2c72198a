"""Show the audit log."""

from argparse import ArgumentParser
from typing import Any

from features.ground.command import ActionCommand
from models_store.management.lines import table
from models_store.models import AuditEntry

FIELDS = ("at", "actor", "action", "object_type", "object_id", "before", "after", "reason", "request_id", "hash")


class Command(ActionCommand):
    help = "Shows what was done and refused, by whom and why, newest first."

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--object", default="", metavar="NAME", help="a model, or MODEL@N")
        parser.add_argument("--limit", type=int, default=100)

    def act(self, **options: Any) -> dict[str, Any]:
        entries = AuditEntry.objects.about(options["object"]).order_by("-id")[: max(options["limit"], 0)]
        return {"entries": [{"id": entry.pk, **{name: getattr(entry, name) for name in FIELDS}} for entry in entries]}

    def text(self, result: dict[str, Any]) -> str:
        return table(result["entries"], ("id", "at", "actor", "action", "object_id", "reason")) or "no entries"
