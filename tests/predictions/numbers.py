"""Small models of numbers alone, as graphs that take one matrix."""

import io
from functools import lru_cache
from typing import Any

import joblib
import numpy as np
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from models_store.actions.promote import promote
from models_store.actions.register_version import NewVersion, register_version
from models_store.core.policy import imported_policy
from models_store.models import ModelVersion

COLUMNS = 11
SCHEMA: list[dict[str, Any]] = [
    {"name": f"n{place}", "dtype": "number", "nullable": place > 0, "min": -50 if place == 1 else None, "max": None}
    for place in range(COLUMNS)
]
OUTPUT: dict[str, dict[str, Any]] = {
    "logistic": {"task": "classification", "classes": ["no", "yes"]},
    "forest": {"task": "classification", "classes": ["no", "yes"]},
    "ridge": {"task": "regression"},
}


@lru_cache
def trained(kind: str) -> dict[str, bytes]:
    """Return the files of a small pipeline."""
    draw = np.random.default_rng(3)
    rows = draw.normal(loc=5, scale=np.arange(1, COLUMNS + 1), size=(300, COLUMNS))
    target = rows @ draw.normal(size=COLUMNS)
    rows[::17, 2] = np.nan
    last = {"logistic": LogisticRegression(), "forest": RandomForestClassifier(10, random_state=0), "ridge": Ridge()}
    pipe = make_pipeline(SimpleImputer(), StandardScaler(), last[kind])
    pipe.fit(rows, target if kind == "ridge" else np.where(target > target.mean(), "yes", "no"))
    options = None if kind == "ridge" else {id(pipe): {"zipmap": False}}
    graph = to_onnx(pipe, initial_types=[("x", FloatTensorType([None, COLUMNS]))], options=options)
    blob = io.BytesIO()
    joblib.dump(pipe, blob)
    return {"model.onnx": graph.SerializeToString(), "model.joblib": blob.getvalue()}


def drawn(count: int) -> list[list[float]]:
    """Return rows like those of the training."""
    draw = np.random.default_rng(4)
    return draw.normal(loc=5, scale=np.arange(1, COLUMNS + 1), size=(count, COLUMNS)).tolist()


def serve(kind: str = "logistic", stage: str = "production") -> ModelVersion:
    """Register a version of the model `numbers` and move it to a stage."""
    version = register_version(
        NewVersion(
            model="numbers",
            task=OUTPUT[kind]["task"],
            primary_metric="rmse" if kind == "ridge" else "log_loss",
            files=trained(kind),
            estimator=kind,
            engine="onnx",
            input_schema=SCHEMA,
            output_schema=OUTPUT[kind],
            metrics={},
            actor="cli:test",
            policy=imported_policy(),
        )
    )
    promote(f"numbers@{version.number}", target_stage=stage, reason="test", actor="cli:test")
    return version
