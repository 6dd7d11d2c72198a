"""Train a model version from the shell."""

from typing import Any

from django.core.management.base import CommandParser

from features.ground.command import ActionCommand
from features.ground.progress import shown
from pipeline.actions.runs import run_inline
from pipeline.core.training_plan import SPLITS, parse_params


class Command(ActionCommand):
    """Train a model on a dataset or a snapshot, and register it as a candidate."""

    help = "train a model on a dataset or a snapshot, and register it as a candidate"
    writes = True

    def arguments(self, parser: CommandParser) -> None:
        """Declare what to train on, and how."""
        parser.add_argument("model", metavar="MODEL", help="name of the model; made on first use")
        source = parser.add_mutually_exclusive_group(required=True)
        source.add_argument("--dataset", default="", metavar="D[@N]", help="take a snapshot of this dataset")
        source.add_argument("--snapshot", type=int, metavar="ID", help="train on this snapshot")
        parser.add_argument("--target", default="", metavar="COL", help="column to predict")
        parser.add_argument("--view", action="append", default=[], metavar="V", help="feature view to join; repeatable")
        parser.add_argument("--estimator", default="", metavar="NAME", help="default: hist_gradient_boosting")
        parser.add_argument("--param", action="append", default=[], metavar="K=V", help="of the estimator; repeatable")
        parser.add_argument("--split", default="", choices=SPLITS, help="default: time, where there is a timestamp")
        parser.add_argument("--test-size", type=float, default=0.2, help="share of the rows to test on")
        parser.add_argument("--seed", type=int, default=0, help="of the split and the estimator")
        parser.add_argument("--slice", action="append", default=[], metavar="COL", help="also measure by this column")
        parser.add_argument("--accept", action="append", default=[], metavar="FINDING", help="of the leakage check")
        parser.add_argument("--reason", default="", metavar="TEXT", help="why what is accepted does no harm; audited")

    def act(self, **options: Any) -> Any:
        """Train as a run of this process."""
        params = {
            "model": options["model"],
            "dataset": options["dataset"],
            "snapshot_id": options["snapshot"],
            "views": options["view"],
            "target": options["target"],
            "estimator": options["estimator"],
            "params": parse_params(options["param"]),
            "split": options["split"],
            "test_size": options["test_size"],
            "seed": options["seed"],
            "slices": options["slice"],
            "accept": options["accept"],
            "reason": options["reason"],
        }
        with shown(f"train {options['model']}") as report:
            run = run_inline("train", params, actor=options["actor"], report=report)
        return run.result | {"run": str(run.pk)}

    def text(self, result: Any) -> str:
        """Return the version, and its metrics beside what they must beat."""
        engine = result["engine"] + (f" ({result['engine_reason']})" if result["engine_reason"] else "")
        name, rows = f"{result['model']}@{result['version']}", result["metrics"]["rows"]
        lines = [
            f"{name} ({result['stage']}): {result['task']} by {result['estimator']}, served by {engine}",
            *_table(result["metrics"]),
            f"rows: {rows['train']} to learn from, {rows['test']} to test on",
            *(f"not used: {column} ({reason})" for column, reason in result["dropped"].items()),
            *(f"note: {note}" for note in result["notes"]),
            f"snapshot {result['snapshot']}, artefact {result['artefact_digest'][:16]}…, {result['seconds']:.1f} s",
            f"next: manage.py gates {name}",
        ]
        return "\n".join(lines)


def _table(metrics: dict[str, Any]) -> list[str]:
    parts = ("test", "baseline", "linear_baseline")
    head = f"{'metric':<18}" + "".join(f"{part:>17}" for part in parts)
    body = [
        f"{name:<18}" + "".join(f"{_shown(metrics[part].get(name)):>17}" for part in parts) for name in metrics["test"]
    ]
    return [head, *body]


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"
