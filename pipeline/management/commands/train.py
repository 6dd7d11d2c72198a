"""Train a model version from the shell."""

from typing import Any

from django.core.management.base import CommandParser

from features.ground.command import ActionCommand
from features.ground.progress import shown
from pipeline.actions.runs import run_inline
from pipeline.core.training_plan import CALIBRATIONS, SPLITS, parse_class_weight, parse_params

AS_GIVEN = (
    "model", "dataset", "target", "estimator", "calibrate", "threshold_goal", "tune", "split", "group", "cv",
    "test_size", "seed", "importance", "check_reproducible", "accept", "reason",
)  # fmt: skip


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
        weights = "`balanced`, or how much a row of this class counts; repeatable"
        parser.add_argument("--class-weight", action="append", default=[], metavar="LABEL=W", help=weights)
        parser.add_argument("--calibrate", default="", choices=CALIBRATIONS, help="on the validation rows")
        goal = "choose the threshold on the validation rows: f1, precision>=X, recall>=X, cost=fp:A,fn:B"
        parser.add_argument("--threshold-goal", default="", metavar="GOAL", help=goal)
        parser.add_argument("--tune", type=int, default=0, metavar="N", help="try N settings of the estimator")
        parser.add_argument("--split", default="", choices=SPLITS, help="default: time, where there is a timestamp")
        parser.add_argument("--group", default="", metavar="COL", help="no value on both sides; default: the entity")
        parser.add_argument(
            "--cv", type=int, default=0, metavar="K", help="also measure on K folds of the training part"
        )
        parser.add_argument("--test-size", type=float, default=0.2, help="share of the rows to test on")
        parser.add_argument("--seed", type=int, default=0, help="of the split and the estimator")
        parser.add_argument("--slice", action="append", default=[], metavar="COL", help="also measure by this column")
        parser.add_argument("--importance", action="store_true", help="measure which columns the model looks at")
        parser.add_argument("--check-reproducible", action="store_true", help="train twice, and refuse a difference")
        parser.add_argument("--accept", action="append", default=[], metavar="FINDING", help="of the leakage check")
        parser.add_argument("--reason", default="", metavar="TEXT", help="why what is accepted does no harm; audited")

    def act(self, **options: Any) -> Any:
        """Train as a run of this process."""
        params = {name: options[name] for name in AS_GIVEN} | {
            "snapshot_id": options["snapshot"],
            "views": options["view"],
            "params": parse_params(options["param"]),
            "slices": options["slice"],
            "class_weight": parse_class_weight(options["class_weight"]),
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
            *_adjusted(result),
            f"rows: {rows['train']} to learn from, {_validated(rows)}{rows['test']} to test on",
            *(f"not used: {column} ({reason})" for column, reason in result["dropped"].items()),
            *(f"note: {note}" for note in result["notes"]),
            f"snapshot {result['snapshot']}, artefact {result['artefact_digest'][:16]}…, {result['seconds']:.1f} s",
            f"next: manage.py gates {name}",
        ]
        return "\n".join(lines)


def _adjusted(result: dict[str, Any]) -> list[str]:
    folds, again = result["metrics"]["cross_validation"], result["reproducible"]
    primary = result["primary_metric"]
    return [
        *([f"threshold: {result['threshold']:.4g}"] if result["threshold"] is not None else []),
        *([f"{folds['folds']} folds: {primary} {_spread(folds, primary)}"] if folds else []),
        *(["trained twice: predictions and files are the same"] if again else []),
    ]


def _spread(folds: dict[str, Any], name: str) -> str:
    return f"{_shown(folds['mean'].get(name))} ± {_shown(folds['sd'].get(name))}"


def _validated(rows: dict[str, int]) -> str:
    return f"{rows['validation']} to validate on, " if rows["validation"] else ""


def _table(metrics: dict[str, Any]) -> list[str]:
    parts, intervals = ("test", "baseline", "linear_baseline"), metrics["intervals"]["test"]
    head = f"{'metric':<18}" + "".join(f"{part:>17}" for part in parts) + f"{'test, 95 %':>22}"
    body = [
        f"{name:<18}"
        + "".join(f"{_shown(metrics[part].get(name)):>17}" for part in parts)
        + f"{' to '.join(map(_shown, intervals.get(name, ()))):>22}"
        for name in metrics["test"]
    ]
    return [head, *body]


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"
