"""`manage.py score`: score a whole table."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from features.ground.command import ActionCommand
from features.ground.progress import shown
from pipeline.actions.runs import run_inline
from pipeline.actions.score import DEFAULT_CHUNK_ROWS
from pipeline.models import Run


class Command(ActionCommand):
    """Score CSV or Parquet, a file or a folder; a stopped one goes on where it was."""

    help = __doc__
    writes = True

    def arguments(self, parser: CommandParser) -> None:
        """Declare what to score, with what, and where to."""
        parser.add_argument("model", metavar="MODEL[@N]")
        parser.add_argument("input", type=Path, metavar="INPUT", help="a .csv or .parquet file, or a folder of them")
        parser.add_argument("output", type=Path, metavar="OUTPUT", help="a file or folder like the input")
        parser.add_argument("--engine", choices=("local",), default="local", help="where it is computed")
        parser.add_argument("--chunk-rows", type=int, default=DEFAULT_CHUNK_ROWS, metavar="N")
        parser.add_argument("--only-predictions", action="store_true", help="leave the input's columns out")

    def act(self, **options: Any) -> Any:
        """Score in this process, as a run."""
        params = {
            "model": options["model"],
            "input": str(options["input"].resolve()),
            "output": str(options["output"].resolve()),
            "chunk_rows": options["chunk_rows"],
            "only_predictions": options["only_predictions"],
        }
        with shown(f"score {options['model']}") as report:
            run = run_inline(Run.Kind.SCORE, params, actor=options["actor"], report=report)
        return run.result | {"run": str(run.pk)}
