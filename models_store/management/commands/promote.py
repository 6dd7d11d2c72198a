"""Ask that a version take a stage."""

from argparse import ArgumentParser
from typing import Any

from features.ground.command import ActionCommand
from models_store.actions.promote import promote
from models_store.management.lines import gate_rows, gate_table


class Command(ActionCommand):
    help = "Promotes a version: applied at once if its gates pass and the policy needs no approval."
    writes = True

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("spec", metavar="MODEL@N")
        parser.add_argument("--stage", required=True, choices=("production", "canary", "shadow", "archived"))
        parser.add_argument("--reason", required=True)
        parser.add_argument("--percent", type=int, help="share of requests a canary gets, 1 to 100")
        parser.add_argument("--expected-generation", type=int, help="refuse if the model has changed since")

    def act(self, **options: Any) -> dict[str, Any]:
        done = promote(
            options["spec"],
            target_stage=options["stage"],
            reason=options["reason"],
            actor=options["actor"],
            percent=options["percent"],
            expected_generation=options["expected_generation"],
        )
        answer = {"request": done.request, "state": done.state, "generation": done.generation}
        return {**answer, "gates": gate_rows(done.gates), **({"warning": done.warning} if done.warning else {})}

    def text(self, result: dict[str, Any]) -> str:
        head = f"request {result['request']}: {result['state']} (generation {result['generation']})"
        return "\n".join(filter(None, (head, result.get("warning"), gate_table(result["gates"]))))
