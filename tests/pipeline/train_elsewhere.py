"""Train on a table in a process of its own, and print the digest of what each estimator saves."""

import hashlib
import io
import json
import sys
from pathlib import Path

import joblib
import pyarrow.parquet as pq

from pipeline.core.training import train_on
from pipeline.core.training_plan import TrainingPlan

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    asked = json.loads((folder / "asked.json").read_text())
    for estimator in sys.argv[2:]:
        plan = TrainingPlan(estimator=estimator, **asked["plan"])
        model = train_on(pq.read_table(folder / "rows.parquet"), asked["columns"], plan)
        saved = io.BytesIO()
        joblib.dump(model.pipeline, saved, compress=3)
        print(hashlib.sha256(saved.getvalue()).hexdigest())
