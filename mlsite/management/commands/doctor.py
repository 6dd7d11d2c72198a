"""`manage.py doctor`: check what the product stands on."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from features.actions.mend_tables import mend_tables
from features.ground.command import ActionCommand
from mlsite.checkup import examine
from models_store.actions.clear_artefacts import clear_artefacts


class Command(ActionCommand):
    """Check everything that the product stands on."""

    help = __doc__
    writes = True

    def arguments(self, parser: CommandParser) -> None:
        text = (
            "undo table versions nobody names, give up those that are gone, clear artefacts of no version, then check"
        )
        parser.add_argument("--mend", action="store_true", help=text)

    def handle(self, *args: Any, **options: Any) -> None:
        super().handle(*args, **options)
        if failed := [check.name for check in self.found if not check.ok]:
            raise CommandError(f"not well: {', '.join(failed)}", returncode=1)

    def act(self, **options: Any) -> dict[str, Any]:
        if options["mend"]:
            mend_tables(actor=options["actor"])
            clear_artefacts(actor=options["actor"])
        self.found = examine()
        return {"checks": self.found}

    def text(self, result: dict[str, Any]) -> str:
        return "\n".join(f"{'ok  ' if check.ok else 'FAIL'} {check.name:<10} {check.detail}" for check in self.found)
