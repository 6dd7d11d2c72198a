"""`schema`: a dataset's contract, on the screen or as a file."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from features.adapters.yaml_files import schema_yaml
from features.ground.command import ActionCommand
from features.ground.files import write_atomic
from features.models import Dataset


class Command(ActionCommand):
    help = "Show a dataset's contract, or export it as a file `ingest --schema` takes."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("dataset")
        parser.add_argument("--export", type=Path, metavar="FILE.yaml")

    def act(self, **options: Any) -> dict[str, Any]:
        dataset = Dataset.objects.named(options["dataset"])
        if options["export"]:
            write_atomic(options["export"], schema_yaml(dataset.schema, dataset.quality_policy).encode())
            return {"dataset": dataset.name, "columns": len(dataset.schema), "file": options["export"]}
        return {"dataset": dataset.name, "quality_policy": dataset.quality_policy, "columns": dataset.schema}

    def text(self, result: dict[str, Any]) -> str:
        if "file" in result:
            return super().text(result)
        return schema_yaml(result["columns"], result["quality_policy"]).rstrip()
