"""`prune`: remove what nothing refers to, within retention."""

from typing import Any

from features.actions.prune import PrunedItem, PruneResult, prune
from features.ground.command import ActionCommand
from features.ground.progress import shown
from models_store.actions.clear_artefacts import clear_artefacts
from predictions.actions.forget_predictions import forget_predictions


class Command(ActionCommand):
    help = "Remove what nothing refers to any more: old versions, leftovers of what died, predictions past their days."
    writes = True
    has_preview = True

    def act(self, **options: Any) -> PruneResult:
        with shown("prune") as report:
            found = prune(actor=options["actor"], dry_run=options["dry_run"], report=report)
        asked = {"actor": options["actor"], "dry_run": options["dry_run"]}
        left = clear_artefacts(**asked)
        items = [*found.removed, *(PrunedItem(kind="artefact", name=one.name, bytes=one.bytes) for one in left)]
        items += [
            PrunedItem(kind="predictions", name=f"{part.name}, {part.rows:,} predictions", bytes=part.bytes)
            for part in forget_predictions(**asked)
        ]
        size = sum(item.bytes for item in items)
        return PruneResult(removed=tuple(items), bytes=size, dry_run=found.dry_run)

    def text(self, result: PruneResult) -> str:
        lines = [f"{item.kind:<14}{item.bytes:>14,}  {item.name}" for item in result.removed]
        said = "would go" if result.dry_run else "removed"
        return "\n".join([*lines, f"{len(result.removed)} things, {result.bytes:,} bytes {said}"])
