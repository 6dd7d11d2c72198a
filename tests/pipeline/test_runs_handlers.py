"""Each kind of run, done for real on a small table, twice where its worker may die in between."""

import csv
import random
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from features.actions.apply_feature_view import apply_feature_view
from models_store.actions.promote import promote
from models_store.models import ModelVersion
from pipeline.actions import runs
from pipeline.core.run_context import RunContext
from pipeline.handlers import handler_of
from pipeline.models import BatchScore, DriftReport, Run
from predictions import engine

pytestmark = pytest.mark.django_db(transaction=True)
ROWS = 400
ASKED = {"model": "m", "dataset": "d", "target": "late", "estimator": "logistic_regression", "split": "random"}


@pytest.fixture
def table(var_dir: Path) -> Path:
    """Write a table whose target follows from its columns."""
    dice = random.Random(7)
    path = var_dir / "inbox" / "table.csv"
    path.parent.mkdir()
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("distance", "carrier", "late"))
        for _ in range(ROWS):
            distance, carrier = dice.uniform(0, 100), dice.choice(("AA", "UA"))
            writer.writerow((f"{distance:.3f}", carrier, int(distance + dice.gauss(0, 10) > 50)))
    return path


def again(run: Run) -> dict[str, Any]:
    """Do a finished run once more, as happens when a worker dies after the last step and before it says so."""
    context = RunContext(run_id=run.pk, params=run.params, actor="system", report=lambda percent, step: None)
    return handler_of(run.kind)(context)


def inline(kind: str, **params: Any) -> Run:
    return runs.run_inline(kind, params, actor="system")


def test_every_step_is_a_run_and_safe_to_repeat(table: Path, var_dir: Path) -> None:
    ingested = inline("ingest", dataset="d", files=[str(table)], roles={"target": "late"}, read={"na": ["?"]})
    assert (ingested.result["rows_valid"], ingested.result["created"]) == (ROWS, True)
    assert again(ingested)["version"] == ingested.result["version"]

    frozen = inline("snapshot", name="s", dataset="d")
    assert frozen.result["rows"] == ROWS
    assert again(frozen) == frozen.result

    trained = inline("train", **ASKED)
    assert again(trained)["version"] == trained.result["version"] == 1
    assert ModelVersion.objects.get().run_id == trained.pk

    promote("m@1", target_stage="production", reason="the only one", actor="user:alice")
    engine.refresh()
    by_dataset = inline("score", model="m", dataset="d@1", only_predictions=True)
    by_file = inline("score", model="m@1", inbox="table.csv", outbox="scored.csv", chunk_rows=100)
    assert by_dataset.result["rows"] == by_file.result["rows"] == ROWS
    assert pq.read_table(var_dir / "outbox" / f"{by_dataset.pk}.parquet").num_rows == ROWS
    assert (var_dir / "outbox" / "scored.csv").read_text().count("\n") == ROWS + 1
    assert again(by_file)["rows"] == ROWS
    assert BatchScore.objects.count() == 2

    compared = inline("drift", model="m", inbox="table.csv")
    assert compared.result["dataset_drift"] is False
    assert again(compared)["report"] == compared.result["report"]
    assert DriftReport.objects.get().run_id == compared.pk


def test_view_is_materialized_by_a_run(var_dir: Path) -> None:
    path = var_dir / "events.csv"
    path.write_text("who,at,amount\n" + "".join(f"u{n % 3},2026-01-0{1 + n % 9}T00:00:00Z,{n}\n" for n in range(30)))
    roles = {"entity": ["who"], "timestamp": "at"}
    inline("ingest", dataset="events", files=[str(path)], roles=roles)
    features = [{"name": "total_7d", "column": "amount", "function": "sum", "window": "7d"}]
    view = {"name": "totals", "dataset": "events", "entity": ["who"], "features": features}
    apply_feature_view(view, actor="system")
    run = inline("materialize", view="totals", as_of="2026-01-10T00:00:00+00:00")
    assert run.result["rows"] == 3
    assert again(run)["snapshot"] == run.result["snapshot"]
