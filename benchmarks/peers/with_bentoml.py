"""A BentoML service; with BENCH_BATCH=1 its adaptive batching is on."""

import os

import bentoml
import joblib
import numpy as np


@bentoml.service(workers=1, traffic={"timeout": 60})
class Service:
    """Answers class probabilities."""

    def __init__(self) -> None:
        self.model = joblib.load(f"{os.environ['BENCH_MODELS']}/{os.environ['BENCH_MODEL']}.joblib")

    @bentoml.api(batchable=os.environ.get("BENCH_BATCH") == "1", max_batch_size=2000, max_latency_ms=1000)
    def predict(self, data: np.ndarray) -> np.ndarray:
        """Ask the pipeline."""
        return self.model.predict_proba(data)
