"""List promotion requests."""

from argparse import ArgumentParser
from typing import Any

from features.ground.command import ActionCommand
from models_store.core.spec import checked_name
from models_store.management.lines import table
from models_store.models import PromotionRequest, RegisteredModel
from models_store.presenting import request_summary

COLUMNS = ("request", "state", "version", "target_stage", "requester", "approvals", "expires_at", "reason")


class Command(ActionCommand):
    help = "Lists promotion requests, the open ones unless --all is given, newest first."

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("model", nargs="?", metavar="MODEL")
        parser.add_argument("--all", action="store_true", help="those that have ended too")
        parser.add_argument("--limit", type=int, default=100)

    def act(self, **options: Any) -> dict[str, Any]:
        found = PromotionRequest.objects.presented()
        if options["model"]:
            found = found.filter(version__model=RegisteredModel.objects.named(checked_name(options["model"])))
        shown = found if options["all"] else found.open()
        return {"requests": [request_summary(request) for request in shown[: max(options["limit"], 0)]]}

    def text(self, result: dict[str, Any]) -> str:
        rows = [{**row, "approvals": [word["approver"] for word in row["approvals"]]} for row in result["requests"]]
        return table(rows, COLUMNS) or "no requests: `promote` makes one"
