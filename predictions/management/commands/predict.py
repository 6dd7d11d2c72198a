"""Predict from a shell, through the same path as the API."""

import getpass
import uuid
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser

from features.ground.command import ActionCommand
from models_store.core.spec import parse_spec
from predictions.actions.log_predictions import flush_log
from predictions.actions.predict import PredictRequest, predict
from predictions.adapters.shell_input import read_body


class Command(ActionCommand):
    """Predict with a model's production version, or with one version."""

    help = "predict rows given as JSON, or a file of them, through the same path as the API"

    def arguments(self, parser: CommandParser) -> None:
        """Declare the model and where its rows come from."""
        parser.add_argument("model", metavar="MODEL[@N]", help="a model, or one of its versions")
        source = parser.add_mutually_exclusive_group(required=True)
        source.add_argument("--json-rows", metavar="JSON", help="rows as lists in column order, or as objects")
        source.add_argument("--file", type=Path, help="a JSON file of such rows, or one object a line (.jsonl)")

    def act(self, **options: Any) -> dict[str, Any]:
        """Predict and return the API's answer."""
        spec = parse_spec(options["model"])
        body = read_body(options["json_rows"], options["file"], settings.CONFIG.security.max_request_size)
        answer = predict(
            PredictRequest(
                principal=f"cli:{getpass.getuser()}",
                request_id=uuid.uuid4().hex,
                model=spec.model,
                version=spec.number,
                body=body,
                source="cli",
            )
        )
        flush_log()
        return answer.body()
