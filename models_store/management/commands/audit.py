"""Show the audit log, or export it."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from features.ground.command import ActionCommand
from models_store.adapters.audit_export import export_audit
from models_store.management.lines import table
from models_store.models import AuditEntry


class Command(ActionCommand):
    help = "Shows what was done and refused, by whom and why, newest first; or writes all of it to a file."

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--object", default="", metavar="NAME", help="a model, or MODEL@N")
        parser.add_argument("--limit", type=int, default=100)
        parser.add_argument("--export", type=Path, metavar="FILE.jsonl", help="write every entry, oldest first")

    def act(self, **options: Any) -> dict[str, Any]:
        entries = AuditEntry.objects.about(options["object"])
        if options["export"] is not None:
            return {"entries": export_audit(entries, options["export"]), "file": options["export"]}
        shown = entries.order_by("-id")[: max(options["limit"], 0)]
        return {"entries": [entry.as_dict() for entry in shown]}

    def text(self, result: dict[str, Any]) -> str:
        if "file" in result:
            return f"{result['entries']} entries written to {result['file']}"
        return table(result["entries"], ("id", "at", "actor", "action", "object_id", "reason")) or "no entries"
