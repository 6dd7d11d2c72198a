"""A tiny real model, trained, converted, signed, registered and promoted through the registry's own actions."""

import io
from functools import lru_cache
from typing import Any

import joblib
import numpy as np
import pandas as pd
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from models_store.actions.promote import promote
from models_store.actions.register_version import NewVersion, register_version
from models_store.core.policy import imported_policy
from models_store.models import ModelVersion

SCHEMA: list[dict[str, Any]] = [
    {"name": "length", "dtype": "number", "nullable": False, "min": 0, "max": 100},
    {"name": "width", "dtype": "number", "nullable": True, "min": None, "max": None},
    {"name": "colour", "dtype": "string", "nullable": False, "allowed": ["red", "blue"]},
]
ROW = [4.0, 1.5, "red"]
RECORD = {"length": 4.0, "width": 1.5, "colour": "red"}


@lru_cache
def trained(seed: int, regression: bool) -> dict[str, bytes]:
    """Return the files of a small pipeline."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {"length": rng.uniform(0, 10, 200), "width": rng.normal(size=200), "colour": rng.choice(["red", "blue"], 200)}
    )
    pipe = make_pipeline(
        make_column_transformer(
            (make_pipeline(SimpleImputer(), StandardScaler()), ["length", "width"]),
            (OneHotEncoder(sparse_output=False, handle_unknown="ignore"), ["colour"]),
        ),
        LinearRegression() if regression else LogisticRegression(),
    )
    target = frame["length"] * (1 + seed)
    pipe.fit(frame, target if regression else np.where(frame["length"] > 4 + seed % 3, "big", "small"))
    types = [(name, FloatTensorType([None, 1])) for name in ("length", "width")]
    options = {} if regression else {id(pipe): {"zipmap": False}}
    graph = to_onnx(pipe, initial_types=[*types, ("colour", StringTensorType([None, 1]))], options=options)
    blob = io.BytesIO()
    joblib.dump(pipe, blob)
    return {"model.onnx": graph.SerializeToString(), "model.joblib": blob.getvalue()}


def register(name: str = "tiny", *, seed: int = 0, regression: bool = False, engine: str = "onnx") -> ModelVersion:
    """Register a candidate."""
    task = "regression" if regression else "classification"
    return register_version(
        NewVersion(
            model=name,
            task=task,
            primary_metric="rmse" if regression else "log_loss",
            files=trained(seed, regression),
            estimator="linear",
            engine=engine,
            input_schema=SCHEMA,
            output_schema={"task": task} if regression else {"task": task, "classes": ["big", "small"]},
            metrics={"features": {"length": 5.0, "width": 0.0}},
            actor="cli:test",
            policy=imported_policy(),
        )
    )


def staged(stage: str = "production", name: str = "tiny", percent: int | None = None, **options: Any) -> ModelVersion:
    """Register a version and move it to a stage."""
    version = register(name, **options)
    promote(f"{name}@{version.number}", target_stage=stage, reason="test", actor="cli:test", percent=percent)
    version.refresh_from_db()
    return version
