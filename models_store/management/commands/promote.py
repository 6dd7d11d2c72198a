"""Ask that a version take a stage."""

from argparse import ArgumentParser
from typing import Any

from features.ground.command import ActionCommand
from models_store.actions.promote import promote
from models_store.core.waivers import parse_waiver
from models_store.management.lines import parse_time, promotion_answer, promotion_text


class Command(ActionCommand):
    help = "Promotes a version: applied at once if its gates pass and the policy needs no approval."
    writes = True

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("spec", metavar="MODEL@N")
        parser.add_argument("--stage", required=True, choices=("production", "canary", "shadow", "archived"))
        parser.add_argument("--reason", required=True)
        parser.add_argument("--percent", type=int, help="share of requests a canary gets, 1 to 100")
        parser.add_argument("--expected-generation", type=int, help="refuse if the model has changed since")
        parser.add_argument("--not-before", metavar="TIME", help="when to apply it; ISO 8601, UTC by default")
        parser.add_argument("--waive", action="append", default=[], metavar="GATE=REASON", help="let a gate fail")

    def act(self, **options: Any) -> dict[str, Any]:
        done = promote(
            options["spec"],
            target_stage=options["stage"],
            reason=options["reason"],
            actor=options["actor"],
            percent=options["percent"],
            expected_generation=options["expected_generation"],
            not_before=parse_time(options["not_before"]) if options["not_before"] else None,
            waive=dict(map(parse_waiver, options["waive"])),
        )
        return promotion_answer(done)

    def text(self, result: dict[str, Any]) -> str:
        return promotion_text(result)
