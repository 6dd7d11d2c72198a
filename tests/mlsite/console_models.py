"""Three real models on made-up flights, for tests that look at the console."""

import io
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import joblib
import numpy as np
import pyarrow as pa

from features.models import FeatureSnapshot
from models_store.actions.register_version import NewVersion, register_version
from models_store.models import ModelVersion
from pipeline.adapters.onnx_export import export
from pipeline.core.training import TrainedModel, train_on
from pipeline.core.training_plan import TrainingPlan
from pipeline.models import Run

MODEL = "late-arrivals"
ROWS = 1500
START = datetime(2013, 1, 1, tzinfo=UTC)
COLUMNS: list[dict[str, Any]] = [
    {"name": "scheduled_at", "dtype": "timestamp", "nullable": False, "role": "timestamp"},
    {"name": "carrier", "dtype": "string", "nullable": False, "role": "feature", "allowed": ["AA", "B6", "DL", "UA"]},
    {"name": "origin", "dtype": "string", "nullable": False, "role": "feature", "allowed": ["EWR", "JFK", "LGA"]},
    {"name": "hour", "dtype": "integer", "nullable": False, "role": "feature", "min": 0, "max": 23},
    {"name": "distance_miles", "dtype": "number", "nullable": False, "role": "feature", "min": 0, "max": 5000},
    {"name": "carrier_late_share_7d", "dtype": "number", "nullable": True, "role": "feature", "min": 0, "max": 1},
    {"name": "wind_speed_mph", "dtype": "number", "nullable": True, "role": "feature"},
    {"name": "late", "dtype": "integer", "nullable": False, "role": "target", "allowed": [0, 1]},
]
ESTIMATORS = ("logistic_regression", "hist_gradient_boosting", "k_neighbors")


def flights(rows: int = ROWS) -> pa.Table:
    """Make flights whose delay really depends on the columns."""
    rng = np.random.default_rng(7)
    carrier, origin = rng.choice(["AA", "B6", "DL", "UA"], rows), rng.choice(["EWR", "JFK", "LGA"], rows)
    hour, wind = rng.integers(5, 23, rows), rng.gamma(3.0, 3.0, rows)
    share = np.where(carrier == "B6", 0.3, 0.15) + rng.normal(0, 0.03, rows)
    chance = 1 / (1 + np.exp(8.5 - 0.35 * hour - 0.12 * wind - 6.0 * share - 0.5 * (origin == "EWR") * (hour > 15)))
    return pa.table(
        {
            "scheduled_at": pa.array(
                [START + timedelta(minutes=11 * at) for at in range(rows)], pa.timestamp("us", "UTC")
            ),
            "carrier": carrier,
            "origin": origin,
            "hour": hour,
            "distance_miles": rng.uniform(90, 2500, rows).round(0),
            "carrier_late_share_7d": share.round(4),
            "wind_speed_mph": wind.round(2),
            "late": (rng.random(rows) < chance).astype(np.int64),
        }
    )


def input_schema(trained: TrainedModel) -> list[dict[str, Any]]:
    """Return the inputs of a trained model in the registry's form."""
    described = {column["name"]: column for column in COLUMNS}
    schema = []
    for name in trained.features.names:
        text = name in trained.features.categorical
        column = {"name": name, "dtype": "string" if text else "number", "nullable": described[name]["nullable"]}
        kept = {key: described[name][key] for key in ("min", "max", "allowed") if key in described[name]}
        schema.append(column | kept)
    return schema


@cache
def trained(estimator: str) -> tuple[TrainedModel, dict[str, bytes], str]:
    """Train for real, once a process: the model, its files, and why it isn't ONNX if it isn't."""
    params = {"n_neighbors": 1} if estimator == "k_neighbors" else {}
    model = train_on(flights(), COLUMNS, TrainingPlan(estimator=estimator, params=params, slices=("carrier", "origin")))
    buffer = io.BytesIO()
    joblib.dump(model.pipeline, buffer)
    found = export(
        model.pipeline,
        buffer.getvalue(),
        model.features,
        model.test,
        input_schema=input_schema(model),
        output_schema={"task": model.task, "classes": model.classes},
        tolerance=1e-5,
    )
    files = {"model.joblib": buffer.getvalue()} | ({"model.onnx": found.blob} if found.blob else {})
    return model, files, found.reason


def register(estimator: str, snapshot: FeatureSnapshot, run: Run) -> ModelVersion:
    """Register a trained model with its signed artefact."""
    model, files, reason = trained(estimator)
    return register_version(
        NewVersion(
            model=MODEL,
            task=model.task,
            primary_metric="log_loss",
            files=files,
            estimator=model.estimator,
            engine="onnx" if "model.onnx" in files else "sklearn",
            engine_reason=reason,
            input_schema=input_schema(model),
            output_schema={"task": model.task, "classes": model.classes},
            metrics=model.metrics,
            params=model.params,
            snapshot_id=snapshot.pk,
            run_id=run.pk,
            code_version="0.1.0",
            environment_digest="f" * 64,
            actor="user:ada",
        )
    )
