"""Reject a promotion request, or take one's own back."""

from argparse import ArgumentParser
from typing import Any

from features.ground.command import ActionCommand
from models_store.actions.reject import reject


class Command(ActionCommand):
    help = "Rejects a promotion request; whoever asked takes it back."
    writes = True

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("request", type=int, metavar="REQUEST")
        parser.add_argument("--reason", required=True)

    def act(self, **options: Any) -> dict[str, Any]:
        request = reject(options["request"], reason=options["reason"], actor=options["actor"])
        return {"request": request.pk, "state": str(request.state)}
