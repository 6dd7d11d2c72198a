"""`compact`: larger files of a table's small ones."""

from typing import Any

from django.core.management.base import CommandParser

from features.actions.compact import CompactResult, compact_tables
from features.ground.command import ActionCommand
from features.ground.progress import shown


class Command(ActionCommand):
    help = "Make larger files of a table's small ones; what it holds stays the same."
    writes = True

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("dataset", nargs="?", help="default: every dataset")

    def act(self, **options: Any) -> CompactResult:
        with shown("compact") as report:
            return compact_tables(options["dataset"], actor=options["actor"], report=report)

    def text(self, result: CompactResult) -> str:
        lines = [f"{one.dataset:<24}{one.files_before:>8} files, now {one.files_after}" for one in result.tables]
        return "\n".join(lines) or "there is no dataset yet"
