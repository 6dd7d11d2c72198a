"""Show the whole path of a prediction."""

import json
from typing import Any
from uuid import UUID

from django.core.management.base import CommandParser

from features.ground.command import ActionCommand, plain
from predictions.actions.trace_prediction import Trace, trace_prediction


class Command(ActionCommand):
    """Show what came in, where its features came from, who answered and why, what went out and what came true."""

    help = "show a prediction's whole path: request, inputs, features, version, route, outputs, outcomes"

    def arguments(self, parser: CommandParser) -> None:
        """Declare which one."""
        parser.add_argument("prediction_id", metavar="PREDICTION_ID", type=UUID)

    def act(self, **options: Any) -> Trace:
        """Trace it."""
        return trace_prediction(options["prediction_id"])

    def text(self, result: Trace) -> str:
        """Return one line a step."""
        body = json.loads(json.dumps(result, default=plain))
        return "\n".join(f"{step:<14}{json.dumps(found)}" for step, found in body.items())
