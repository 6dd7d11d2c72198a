"""`prune`: remove what nothing refers to, within retention."""

from typing import Any

from features.actions.prune import PruneResult, prune
from features.ground.command import ActionCommand
from features.ground.progress import shown


class Command(ActionCommand):
    help = "Remove what nothing refers to any more: old versions, leftovers of what died, values no longer served."
    writes = True
    has_preview = True

    def act(self, **options: Any) -> PruneResult:
        with shown("prune") as report:
            return prune(actor=options["actor"], dry_run=options["dry_run"], report=report)

    def text(self, result: PruneResult) -> str:
        lines = [f"{item.kind:<14}{item.bytes:>14,}  {item.name}" for item in result.removed]
        said = "would go" if result.dry_run else "removed"
        return "\n".join([*lines, f"{len(result.removed)} things, {result.bytes:,} bytes {said}"])
