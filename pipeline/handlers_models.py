"""Handlers of the runs that train, score and compare.

A run is done again when its worker dies. What a lost attempt had already written under the run's id is found first,
so that a second attempt after the last step changes nothing.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from features.ground.paths import var_path
from models_store.models import ModelVersion
from pipeline.actions.drift import report_drift
from pipeline.actions.score import score
from pipeline.actions.train import train
from pipeline.actions.train_request import TrainRequest
from pipeline.adapters.dataset_file import write_dataset
from pipeline.core.run_context import RunContext
from pipeline.models import BatchScore, DriftReport


def train_model(context: RunContext) -> dict[str, Any]:
    """Train a model version and register it as a candidate."""
    made = ModelVersion.objects.filter(run_id=context.run_id).select_related("model").first()
    if made:
        return {"model": made.model.name, "version": made.number, "stage": made.stage, "metrics": made.metrics}
    request = TrainRequest(**context.params)
    return asdict(train(request, actor=context.actor, run_id=context.run_id, report=context.report))


def score_batch(context: RunContext) -> dict[str, Any]:
    """Score a table; a second attempt goes on where the first one stopped."""
    asked = context.params
    done = BatchScore.objects.filter(run_id=context.run_id).first()
    if done:
        return {"rows": done.rows, "rejected": done.rejected, "seconds": done.seconds, "output": done.output}
    options = {name: asked[name] for name in ("chunk_rows", "only_predictions") if name in asked}
    result = score(
        asked["model"],
        _input(context),
        _output(context),
        actor=context.actor,
        run_id=context.run_id,
        report=context.report,
        **options,
    )
    return asdict(result)


def drift_report(context: RunContext) -> dict[str, Any]:
    """Compare what is served with what was trained on."""
    row = DriftReport.objects.filter(run_id=context.run_id).first() or report_drift(
        context.params["model"],
        window_hours=context.params.get("window_hours"),
        current=_current(context),
        method=context.params.get("method"),
        actor=context.actor,
        run_id=context.run_id,
        report=context.report,
    )
    return {
        "report": row.pk,
        "dataset_drift": row.dataset_drift,
        "drift_share": row.drift_share,
        "columns": row.columns,
        "not_measured": row.not_measured,
        "html": row.html_path,
    }


def _input(context: RunContext) -> Path:
    """Return the table to score: a path from the shell, a file of the inbox, or a dataset's rows."""
    asked = context.params
    if "input" in asked:
        return Path(asked["input"])
    if "inbox" in asked:
        return var_path("inbox", asked["inbox"])
    context.report(1, "reading the dataset")
    return write_dataset(asked["dataset"], var_path("runs", str(context.run_id), "input.parquet"))


def _output(context: RunContext) -> Path:
    asked = context.params
    if "output" in asked:
        return Path(asked["output"])
    ending = Path(asked["inbox"]).suffix if "inbox" in asked else ".parquet"
    return var_path("outbox", asked.get("outbox") or f"{context.run_id}{ending}")


def _current(context: RunContext) -> Path | None:
    asked = context.params
    if asked.get("inbox"):
        return var_path("inbox", asked["inbox"])
    return Path(asked["current"]) if asked.get("current") else None
