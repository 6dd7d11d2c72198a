"""Sign the head of the audit chain."""

from typing import Any

from features.ground.command import ActionCommand
from models_store.actions.verify_audit import checkpoint_audit


class Command(ActionCommand):
    help = "Checks the audit's new entries and signs its head, so that the end can't be taken off unseen."

    def act(self, **options: Any) -> dict[str, Any]:
        made = checkpoint_audit()
        if made is None:
            return {"made": False}
        signed = {"entry": made.entry, "entries": made.entries, "head": made.head, "at": made.at}
        return {"made": True, **signed, "key_id": made.key_id, "signature": made.signature}

    def text(self, result: dict[str, Any]) -> str:
        if not result["made"]:
            return "nothing was appended since the last checkpoint"
        return f"signed {result['entries']} entries, the last is {result['entry']}"
