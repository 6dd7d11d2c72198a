"""`manage.py drift`: compare what a model is asked with what it was trained on."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser

from features.ground.command import ActionCommand
from features.ground.progress import shown
from pipeline.actions.runs import run_inline
from pipeline.core.drift import METHODS
from pipeline.management.options import window
from pipeline.models import Run


class Command(ActionCommand):
    """Measure drift against the training snapshot and keep the report."""

    help = __doc__
    writes = True

    def arguments(self, parser: CommandParser) -> None:
        """Declare the model, the window or file, and the measure."""
        parser.add_argument("model", metavar="MODEL[@N]")
        parser.add_argument("--window", type=window, metavar="24h", help="how far back in the prediction log")
        parser.add_argument("--current", type=Path, metavar="FILE", help="compare a .csv or .parquet file instead")
        parser.add_argument("--method", choices=METHODS, help="measure of the numbers (default: the configured one)")

    def act(self, **options: Any) -> Any:
        """Measure in this process, as a run."""
        current = options["current"]
        asked = {
            "model": options["model"],
            "window_hours": options["window"],
            "method": options["method"],
            "current": str(current.resolve()) if current else None,
        }
        params = {name: value for name, value in asked.items() if value is not None}
        with shown(f"drift {options['model']}") as report:
            run = run_inline(Run.Kind.DRIFT, params, actor=options["actor"], report=report)
        return run.result | {"run": str(run.pk), "html": str(Path(settings.VAR_DIR) / run.result["html"])}

    def text(self, result: Any) -> str:
        """Return the verdict, the columns by score, and where the page is."""
        rows = sorted(result["columns"].items(), key=lambda item: -item[1]["score"])
        lines = [f"{name:<30} {v['score']:>9.4f}  {'drifted' if v['drifted'] else ''}".rstrip() for name, v in rows]
        if result["not_measured"]:
            lines.append(f"not measured: {', '.join(result['not_measured'])}")
        verdict = "drift" if result["dataset_drift"] else "no drift"
        where = f"page: {result['html']}, or /admin/pipeline/driftreport/{result['report']}/change/ in the console"
        return "\n".join([f"report {result['report']}: {verdict}", *lines, where])
