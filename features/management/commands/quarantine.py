"""`quarantine`: refused rows: shown, written to a file, taken in mended."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from features.actions.fix_quarantined import FixResult, fix_quarantined
from features.adapters.mended_files import write_quarantined
from features.adapters.quarantine import QuarantinedRow, all_quarantined, read_quarantined
from features.core.mended import reasons_text
from features.ground.command import ActionCommand
from features.ground.errors import bounded
from features.ground.progress import shown
from features.models import Dataset, DatasetVersion

PAGE = 20


class Command(ActionCommand):
    help = "Show refused rows and why, write them to a file, or take a mended file in."
    writes = True
    has_preview = True

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("dataset", metavar="DATASET[@N]")
        parser.add_argument("--reason", metavar="CODE", help="only rows with a fault of this rule")
        parser.add_argument(
            "--limit", type=int, metavar="N", help=f"at most N rows (default: {PAGE} shown, all written)"
        )
        parser.add_argument("--offset", type=int, default=0, metavar="N", help="leave out the first N of those shown")
        parser.add_argument("--export", type=Path, metavar="FILE", help="write the rows to this .csv or .jsonl file")
        parser.add_argument("--fix", type=Path, metavar="FILE", help="take the rows of a mended export in")

    def act(self, **options: Any) -> dict[str, Any] | FixResult:
        if options["export"] and options["fix"]:
            raise CommandError("ask for --export or --fix, and not both", returncode=2)
        if min(options["offset"], options["limit"] or 0) < 0:
            raise CommandError("--limit and --offset are not negative", returncode=2)
        name, at, _ = options["dataset"].partition("@")
        dataset = Dataset.objects.named(name)
        if options["fix"]:
            with shown(f"fix {name}") as report:
                how = {key: options[key] for key in ("actor", "dry_run")}
                return fix_quarantined(name, options["fix"], report=report, **how)
        version = DatasetVersion.objects.resolve(options["dataset"]).number if at else None
        wanted = {"version": version, "reason": options["reason"]}
        if options["export"]:
            rows = all_quarantined(dataset, limit=options["limit"], **wanted)
            written = write_quarantined(options["export"], rows, [column.name for column in dataset.columns()])
            return {"dataset": name, "rows": written, "file": options["export"]}
        page = read_quarantined(dataset, offset=options["offset"], limit=options["limit"] or PAGE, **wanted)
        return {"dataset": name, "total": page.total, "rows": page.rows}

    def text(self, result: Any) -> str:
        if not isinstance(result, dict) or "total" not in result:
            return super().text(result)
        head = f"{result['total']:,} rows of {result['dataset']} in quarantine"
        return "\n".join([head, *map(_line, result["rows"])])


def _line(row: QuarantinedRow) -> str:
    return f"@{row.version} row {row.row}: {bounded(reasons_text(row.reasons), 200)}"
