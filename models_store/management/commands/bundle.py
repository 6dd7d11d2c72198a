"""Move signed versions between installations."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from features.ground.command import ActionCommand
from models_store.actions.export_bundle import Exported, export_bundle
from models_store.actions.import_bundle import Imported, import_bundle


class Command(ActionCommand):
    help = "Exports a version to one signed file, or imports one as a candidate."
    writes = True

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("deed", choices=("export", "import"), help="what to do")
        parser.add_argument("arguments", nargs="+", metavar="ARGUMENT", help="export: MODEL@N FILE; import: FILE")

    def act(self, **options: Any) -> Exported | Imported:
        given = options["arguments"]
        wanted = ("MODEL@N", "FILE") if options["deed"] == "export" else ("FILE",)
        if len(given) != len(wanted):
            raise CommandError(f"bundle {options['deed']} takes {' '.join(wanted)}, got {len(given)}", returncode=2)
        if options["deed"] == "export":
            return export_bundle(given[0], Path(given[1]), actor=options["actor"])
        return import_bundle(Path(given[0]), actor=options["actor"])
