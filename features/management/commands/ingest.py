"""`ingest`: files or made-up rows into a dataset."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from features.actions.add_version import IngestResult
from features.actions.ingest import ingest, ingest_synthetic
from features.adapters.reading import ReadOptions
from features.adapters.yaml_files import read_schema
from features.core.schema import ColumnRoles
from features.ground.command import ActionCommand
from features.ground.progress import shown


def _names(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


class Command(ActionCommand):
    help = "Check rows against the dataset's schema; keep the valid ones, put the others in quarantine."
    writes = True
    has_preview = True

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("dataset")
        parser.add_argument("files", nargs="*", type=Path, metavar="FILE")
        parser.add_argument("--format", choices=("csv", "parquet", "jsonl"), help="default: by the file's name")
        parser.add_argument("--target", default="", metavar="COL", help="what models are to predict")
        parser.add_argument("--entity", default=[], action="append", metavar="COL", help="whom a row is about")
        parser.add_argument("--timestamp", default="", metavar="COL", help="when it happened")
        parser.add_argument("--known-at", default="", metavar="COL", help="when it became known")
        parser.add_argument("--ignore", default=[], action="append", metavar="COL", help="kept, but never a feature")
        parser.add_argument(
            "--columns", default=(), type=_names, metavar="a,b,…", help="names of a file without header"
        )
        parser.add_argument("--no-header", action="store_true", help="the first row is data")
        parser.add_argument("--na", action="append", metavar="VALUE", help="text that means missing")
        parser.add_argument("--delimiter", default="", metavar="SIGN", help="between fields, or its name, such as tab")
        parser.add_argument("--quote", default='"', metavar="SIGN", help="around a field that holds others, or none")
        parser.add_argument("--encoding", default="utf-8", metavar="NAME", help="of text, such as latin-1 or utf-16")
        parser.add_argument("--timezone", default="", metavar="ZONE", help="of times that name none")
        parser.add_argument("--schema", type=Path, metavar="FILE.yaml", help="the contract, instead of inferring it")
        parser.add_argument("--max-rejected", type=float, metavar="SHARE", help="share of faulty rows allowed")
        parser.add_argument(
            "--mode",
            choices=("append", "replace", "upsert"),
            default="append",
            help="replace: the new rows are all there are; upsert: they take the place of those with the same key",
        )
        parser.add_argument(
            "--key",
            default=[],
            action="append",
            metavar="COL",
            help="what upsert matches by (default: entity and time)",
        )
        parser.add_argument("--synthetic", type=int, metavar="N", help="make N rows instead of reading files")
        parser.add_argument("--seed", type=int, default=0)

    def act(self, **options: Any) -> IngestResult:
        made, files = options["synthetic"], options["files"]
        if (made is None) == (not files):
            raise CommandError("name files, or --synthetic N, and not both", returncode=2)
        if made is not None and (options["mode"] != "append" or options["key"]):
            raise CommandError("--synthetic rows are appended: --mode and --key are for files", returncode=2)
        common = {key: options[key] for key in ("actor", "dry_run")}
        common["schema"] = read_schema(options["schema"]) if options["schema"] else None
        with shown(f"ingest {options['dataset']}") as report:
            if made is not None:
                return ingest_synthetic(options["dataset"], made, seed=options["seed"], report=report, **common)
            how = {"read": _read(options), "roles": _roles(options), "max_rejected": options["max_rejected"]}
            how |= {"mode": options["mode"], "key": [name for text in options["key"] for name in _names(text)]}
            return ingest(options["dataset"], files, report=report, **how, **common)


def _read(options: dict[str, Any]) -> ReadOptions:
    na = tuple(options["na"]) if options["na"] else None
    said = {key: options[key] for key in ("format", "columns", "delimiter", "quote", "encoding", "timezone")}
    return ReadOptions(header=not options["no_header"], na=na, **said)


def _roles(options: dict[str, Any]) -> ColumnRoles:
    return ColumnRoles(
        target=options["target"],
        entity=tuple(name for text in options["entity"] for name in _names(text)),
        timestamp=options["timestamp"],
        known_at=options["known_at"],
        ignore=tuple(name for text in options["ignore"] for name in _names(text)),
    )
