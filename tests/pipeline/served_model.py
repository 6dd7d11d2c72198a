"""A small real model in production, for tests of scoring, drift and streams."""

import io
from typing import Any

import joblib
import numpy as np
import pandas as pd
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from models_store.actions.promote import promote
from models_store.actions.register_version import NewVersion, register_version
from models_store.core.policy import imported_policy
from models_store.models import ModelVersion
from predictions import engine

NUMBERS, TEXTS = ["delay", "distance"], ["carrier"]
SCHEMA: list[dict[str, Any]] = [
    {"name": "delay", "dtype": "number", "nullable": False, "min": -100, "max": 1000},
    {"name": "distance", "dtype": "number", "nullable": False, "min": 0, "max": 10_000},
    {"name": "carrier", "dtype": "string", "nullable": False, "allowed": ["AA", "UA", "DL"]},
]


def flights(rows: int, *, seed: int = 0, shift: float = 0.0) -> pd.DataFrame:
    """Return made-up flights; those with a long delay are mostly late."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "delay": rng.normal(10 + shift, 20, rows).round(3).clip(-100, 1000),
            "distance": rng.uniform(100, 3000, rows).round(1),
            "carrier": rng.choice(["AA", "UA", "DL"], rows),
        }
    )


def register(
    name: str = "late", *, seed: int = 0, regression: bool = False, snapshot_id: int | None = None
) -> ModelVersion:
    """Fit, convert and register a version."""
    frame = flights(400, seed=seed)
    linear = LinearRegression() if regression else LogisticRegression()
    pipe = make_pipeline(
        make_column_transformer((StandardScaler(), NUMBERS), (OneHotEncoder(sparse_output=False), TEXTS)), linear
    )
    target = frame["delay"] * 1.1 if regression else np.where(frame["delay"] > 15, "late", "on time")
    pipe.fit(frame, target)
    types = [(n, FloatTensorType([None, 1])) for n in NUMBERS] + [(n, StringTensorType([None, 1])) for n in TEXTS]
    options = {} if regression else {id(pipe): {"zipmap": False}}
    blob = io.BytesIO()
    joblib.dump(pipe, blob)
    graph = to_onnx(pipe, initial_types=types, options=options).SerializeToString()
    task = "regression" if regression else "classification"
    return register_version(
        NewVersion(
            model=name,
            task=task,
            primary_metric="rmse" if regression else "log_loss",
            files={"model.onnx": graph, "model.joblib": blob.getvalue()},
            estimator="linear",
            engine="onnx",
            input_schema=SCHEMA,
            output_schema={"task": task} if regression else {"task": task, "classes": ["late", "on time"]},
            snapshot_id=snapshot_id,
            actor="cli:test",
            policy=imported_policy(),
        )
    )


def production(name: str = "late", **options: Any) -> ModelVersion:
    """Register a version and put it into production."""
    version = register(name, **options)
    promote(str(version), target_stage="production", reason="test", actor="cli:test")
    # The engine outlives a test: what it holds of an earlier one's database must go.
    engine.stop()
    engine.refresh()
    version.refresh_from_db()
    return version
