"""Approve somebody else's promotion request."""

from argparse import ArgumentParser
from typing import Any

from features.ground.command import ActionCommand
from models_store.actions.approve import approve
from models_store.management.lines import promotion_answer, promotion_text


class Command(ActionCommand):
    help = "Approves a promotion request; with the last approval its policy asks for, the promotion is applied."
    writes = True

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("request", type=int, metavar="REQUEST")
        parser.add_argument("--reason", default="", help="why, if there is something to say")

    def act(self, **options: Any) -> dict[str, Any]:
        return promotion_answer(approve(options["request"], actor=options["actor"], reason=options["reason"]))

    def text(self, result: dict[str, Any]) -> str:
        return promotion_text(result)
