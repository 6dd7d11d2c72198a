"""List registered models, show one, or show one version."""

from argparse import ArgumentParser
from typing import Any

from features.ground.command import ActionCommand
from models_store.core.spec import parse_spec
from models_store.management.lines import table, version_text
from models_store.models import ModelVersion, RegisteredModel
from models_store.presenting import model_summary, version_detail, version_summary


class Command(ActionCommand):
    help = "Lists models; with MODEL its versions; with MODEL@N one version's metrics, gates, lineage and schema."

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("spec", nargs="?", metavar="MODEL[@N]")

    def act(self, **options: Any) -> dict[str, Any]:
        spec = options["spec"]
        if spec is None:
            return {"models": [model_summary(model) for model in RegisteredModel.objects.with_serving()]}
        if parse_spec(spec).number is not None:
            return version_detail(ModelVersion.objects.resolve(spec))
        model = RegisteredModel.objects.with_serving().named(spec)
        versions = model.versions.order_by("-number")
        return {**model_summary(model), "policy": model.policy, "versions": [version_summary(one) for one in versions]}

    def text(self, result: dict[str, Any]) -> str:
        if "models" in result:
            columns = ("name", "task", "production", "canary", "shadow", "generation")
            return table(result["models"], columns) or "no models yet: train or register one"
        if "versions" in result:
            rows = [{**row, "digest": row["digest"][:12]} for row in result["versions"]]
            return f"{result['name']}\n{table(rows, ('version', 'stage', 'engine', 'estimator', 'digest', 'metrics'))}"
        return version_text(result)
