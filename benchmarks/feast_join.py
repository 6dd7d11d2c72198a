"""Feast's point-in-time join of a share of the benchmark's rows; run by a Python that has Feast installed."""

import json
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

import pandas as pd
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig, ValueType
from feast.types import Float64


def main() -> None:
    data, share, count = Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    features = pd.read_parquet(data / "history.parquet")
    entities = int((features["entity_id"].max() + 1) * share)
    labels = pd.read_parquet(data / "labels.parquet")
    labels = labels[labels["entity_id"] < entities].head(count).rename(columns={"happened": "event_timestamp"})
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "features.parquet"
        features[features["entity_id"] < entities].to_parquet(source)
        store = FeatureStore(
            config=RepoConfig(
                registry=f"{folder}/registry.db", project="bench", provider="local", offline_store={"type": "file"},
                online_store={"type": "sqlite", "path": f"{folder}/online.db"}, entity_key_serialization_version=3,
            )
        )  # fmt: skip
        entity = Entity(name="e", join_keys=["entity_id"], value_type=ValueType.INT64)
        names = [f"f{number}" for number in range(10)]
        view = FeatureView(
            name="fv", entities=[entity], ttl=timedelta(days=30), schema=[Field(name=n, dtype=Float64) for n in names],
            source=FileSource(path=str(source), timestamp_field="happened"),
        )  # fmt: skip
        store.apply([entity, view])
        started = time.perf_counter()
        found = store.get_historical_features(entity_df=labels, features=[f"fv:{n}" for n in names]).to_df()
        seconds = time.perf_counter() - started
    print(json.dumps({"call_seconds": seconds, "rows": len(found)}))


if __name__ == "__main__":
    main()
