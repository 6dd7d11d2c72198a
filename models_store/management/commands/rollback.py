"""Return to an earlier production version."""

from argparse import ArgumentParser
from typing import Any

from features.ground.command import ActionCommand
from models_store.actions.rollback import rollback


class Command(ActionCommand):
    help = "Puts the previous production version back, or the one named by --to."
    writes = True

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("model", metavar="MODEL")
        parser.add_argument("--to", type=int, metavar="N")
        parser.add_argument("--reason", required=True)

    def act(self, **options: Any) -> dict[str, Any]:
        done = rollback(options["model"], to=options["to"], reason=options["reason"], actor=options["actor"])
        answer = {"from": done.from_version, "to": done.to_version, "seconds": round(done.seconds, 3)}
        return {**answer, "generation": done.generation, **({"warning": done.warning} if done.warning else {})}
