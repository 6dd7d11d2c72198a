"""`prune`: remove what nothing refers to, within retention."""

from typing import Any

from features.actions.prune import PrunedItem, PruneResult, prune
from features.ground.command import ActionCommand
from features.ground.progress import shown
from predictions.actions.forget_predictions import forget_predictions


class Command(ActionCommand):
    help = "Remove what nothing refers to any more: old versions, leftovers of what died, predictions past their days."
    writes = True
    has_preview = True

    def act(self, **options: Any) -> PruneResult:
        with shown("prune") as report:
            found = prune(actor=options["actor"], dry_run=options["dry_run"], report=report)
        gone = forget_predictions(actor=options["actor"], dry_run=options["dry_run"])
        old = tuple(
            PrunedItem(kind="predictions", name=f"{part.name}, {part.rows:,} predictions", bytes=part.bytes)
            for part in gone
        )
        size = found.bytes + sum(part.bytes for part in gone)
        return PruneResult(removed=(*found.removed, *old), bytes=size, dry_run=found.dry_run)

    def text(self, result: PruneResult) -> str:
        lines = [f"{item.kind:<14}{item.bytes:>14,}  {item.name}" for item in result.removed]
        said = "would go" if result.dry_run else "removed"
        return "\n".join([*lines, f"{len(result.removed)} things, {result.bytes:,} bytes {said}"])
