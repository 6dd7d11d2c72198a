"""Score a stream."""

import signal
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser

from features.ground.command import ActionCommand
from features.ground.progress import shown
from pipeline.actions.consume import ConsumeRequest, consume
from pipeline.adapters.stream_jsonl import JsonlSource
from pipeline.adapters.stream_kafka import KafkaSource
from pipeline.errors import InvalidStreamError
from predictions import engine


class Command(ActionCommand):
    """Score a file of JSON lines or a Kafka topic, each message exactly once."""

    help = "Score a stream: a file of JSON lines, or Kafka topics; a stopped one goes on where it was."
    writes = True

    def arguments(self, parser: CommandParser) -> None:
        """Declare the stream's ends and when to stop."""
        parser.add_argument("--source", choices=("jsonl", "kafka"), required=True)
        parser.add_argument("--input", type=Path, metavar="FILE", help="JSON lines; with --source jsonl")
        parser.add_argument("--output", type=Path, metavar="FILE", help="answers; dead letters go to FILE.dead")
        parser.add_argument("--model", required=True, help="MODEL or MODEL@N")
        parser.add_argument("--max-messages", type=int, metavar="N")
        parser.add_argument(
            "--until-idle", type=float, metavar="SECONDS", help="a file stops at its end, a topic never, unless given"
        )

    def act(self, **options: Any) -> Any:
        """Consume until the end, a limit, or SIGTERM."""
        until_idle = options["until_idle"]
        request = ConsumeRequest(
            model=options["model"],
            actor=options["actor"],
            max_messages=options["max_messages"],
            until_idle_s=0.0 if until_idle is None and options["source"] == "jsonl" else until_idle,
            poll_rows=settings.CONFIG.streaming.kafka.poll_records,
        )
        with _source(options) as source, _told_to_stop() as stop, shown(f"consume {options['source']}") as report:
            done = consume(source, request, stop=stop.is_set, report=report)
        return {"in": done.in_, "scored": done.scored, "dead_letters": done.dead_letters, "committed": done.committed}


def _source(options: dict[str, Any]) -> JsonlSource | KafkaSource:
    files = options["input"], options["output"]
    if options["source"] == "kafka":
        if any(files):
            raise InvalidStreamError(
                "--input and --output go with --source jsonl; a topic is set by STREAMING__KAFKA__…"
            )
        return KafkaSource()
    if not all(files):
        raise InvalidStreamError("--source jsonl needs --input FILE and --output FILE")
    return JsonlSource(*files)


@contextmanager
def _told_to_stop() -> Any:
    """Follow promotions, and turn SIGTERM into a wish to stop after the poll at hand."""
    stop = threading.Event()
    before = signal.signal(signal.SIGTERM, lambda *_: stop.set())
    engine.start()
    try:
        yield stop
    finally:
        engine.stop()
        signal.signal(signal.SIGTERM, before)
