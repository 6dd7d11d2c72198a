"""Evaluate and store a version's gates."""

from argparse import ArgumentParser
from typing import Any

from features.ground.command import ActionCommand
from models_store.actions.evaluate_gates import evaluate_gates
from models_store.core.policy import STAGES
from models_store.management.lines import gate_rows, gate_table


class Command(ActionCommand):
    help = "Evaluates the gates that stand before a stage, and stores what they said."
    writes = True

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("spec", metavar="MODEL@N")
        parser.add_argument("--stage", choices=STAGES, default="production")

    def act(self, **options: Any) -> dict[str, Any]:
        outcomes = evaluate_gates(options["spec"], target_stage=options["stage"], actor=options["actor"])
        return {"gates": gate_rows(outcomes)}

    def text(self, result: dict[str, Any]) -> str:
        return gate_table(result["gates"])
