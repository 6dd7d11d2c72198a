"""Return to an earlier production version."""

from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from features.ground.command import ActionCommand
from models_store.actions.drill_rollback import drill_rollback
from models_store.actions.rollback import rollback
from models_store.adapters.served import served_at, served_here


class Command(ActionCommand):
    help = "Puts the previous production version back, or the one named by --to."
    writes = True

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("model", metavar="MODEL")
        parser.add_argument("--to", type=int, metavar="N")
        parser.add_argument("--reason", required=True)
        parser.add_argument("--expected-generation", type=int, help="refuse if the model has changed since")
        parser.add_argument("--drill", action="store_true", help="roll back under load and return; measures")
        parser.add_argument("--token", default="", help="drill: ask the running server with this token")
        parser.add_argument("--url", default="", help="drill: where that server is")

    def act(self, **options: Any) -> dict[str, Any]:
        if options["drill"]:
            return self._drill(options)
        done = rollback(
            options["model"],
            to=options["to"],
            reason=options["reason"],
            actor=options["actor"],
            expected_generation=options["expected_generation"],
        )
        answer = {"from": done.from_version, "to": done.to_version, "seconds": round(done.seconds, 3)}
        return {**answer, "generation": done.generation, **({"warning": done.warning} if done.warning else {})}

    def _drill(self, options: dict[str, Any]) -> dict[str, Any]:
        if options["to"] is not None or options["expected_generation"] is not None:
            raise CommandError("a drill goes to the version before and back: leave out --to", returncode=2)
        if options["url"] and not options["token"]:
            raise CommandError("--url goes with --token: the server wants to know who asks", returncode=2)
        server = settings.CONFIG.server
        url = options["url"] or f"http://{server.host}:{server.port}"
        reach = served_at(url, options["token"]) if options["token"] else served_here
        done = drill_rollback(options["model"], reason=options["reason"], actor=options["actor"], reach=reach)
        return asdict(done)
