"""Show a model's versions side by side."""

from argparse import ArgumentParser
from typing import Any

from features.ground.command import ActionCommand
from models_store.core.spec import checked_name
from models_store.management.lines import table
from models_store.models import RegisteredModel
from models_store.presenting import experiments_detail

METRICS = 3


class Command(ActionCommand):
    help = "Shows a model's versions side by side: parameters in which they differ against metrics with intervals."

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("model", metavar="MODEL")
        parser.add_argument("--last", type=int, default=20, metavar="N", help="how many versions (default: 20)")

    def act(self, **options: Any) -> dict[str, Any]:
        model = RegisteredModel.objects.named(checked_name(options["model"]))
        return experiments_detail(model, max(1, options["last"]))

    def text(self, result: dict[str, Any]) -> str:
        found, primary = result["experiments"], result["primary_metric"]
        if not found:
            return f"{result['model']} has no versions yet: train or register one"
        names = dict.fromkeys([primary, *(name for one in found for name in one["metrics"])])
        rows = [
            {name: one[name] for name in ("version", "stage", "estimator")}
            | {name: _measured(one, name) for name in list(names)[:METRICS]}
            | {"test_rows": one["test_rows"] or None, "params": one["params"] or None}
            for one in found
        ]
        return f"{result['model']}\n{table(rows, tuple(rows[0]))}"


def _measured(one: dict[str, Any], name: str) -> str | None:
    value, ends = one["metrics"].get(name), one["intervals"].get(name)
    if value is None:
        return None
    return f"{value:.4g} [{ends[0]:.4g}, {ends[1]:.4g}]" if ends else f"{value:.4g}"
