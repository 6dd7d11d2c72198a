"""Register a model file made elsewhere."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from features.ground.command import ActionCommand
from models_store.actions.register_file import register_file
from models_store.adapters.schema_files import read_schema


class Command(ActionCommand):
    help = "Registers an .onnx or .skops file, or a .joblib or .pkl one with --allow-pickle."
    writes = True

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("model", metavar="MODEL")
        parser.add_argument("file", metavar="FILE", type=Path)
        parser.add_argument("--schema", type=Path, metavar="FILE.yaml", help="input columns: name, dtype, nullable, …")
        parser.add_argument("--n-features", type=int, metavar="N", help="N numbers, called f0, f1, …")
        parser.add_argument("--task", choices=("classification", "regression"))
        parser.add_argument("--allow-pickle", action="store_true", help="open a pickle, in a child without network")

    def act(self, **options: Any) -> dict[str, Any]:
        schema = options["schema"]
        done = register_file(
            options["model"],
            options["file"],
            columns=read_schema(schema) if schema else None,
            n_features=options["n_features"],
            task=options["task"],
            allow_pickle=options["allow_pickle"],
            actor=options["actor"],
        )
        made = done.version
        return {
            "model": made.model.name,
            "version": made.number,
            "stage": str(made.stage),
            "metrics": made.metrics,
            "snapshot": None,
            "artefact_digest": made.manifest_digest,
            "engine": made.engine,
            "engine_reason": made.engine_reason,
            "seconds": round(done.seconds, 3),
        }
