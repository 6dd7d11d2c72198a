"""The peer of online.py, run with a Python that has Feast: `online_feast.py (materialize | read) FOLDER PARQUET`."""

import json
import random
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig, ValueType
from feast.types import Float64

READS = 400


def main(what: str, folder: str, parquet: str, entities: int) -> None:
    """Do one of the two and print its seconds or microseconds."""
    where = Path(folder, "feast")
    where.mkdir(exist_ok=True)
    online = {"type": "sqlite", "path": str(where / "online.db")}
    config = {"registry": str(where / "registry.db"), "project": "bench", "provider": "local"}
    store = FeatureStore(
        config=RepoConfig(
            **config, online_store=online, offline_store={"type": "file"}, entity_key_serialization_version=3
        )
    )
    entity = Entity(name="e", join_keys=["e"], value_type=ValueType.INT64)
    fields = [Field(name=f"f{place}", dtype=Float64) for place in range(10)]
    source = FileSource(path=parquet, timestamp_field="ts")
    view = FeatureView(name="v", entities=[entity], ttl=timedelta(days=3650), schema=fields, source=source)
    store.apply([entity, view])
    if what == "materialize":
        started, cpu = time.perf_counter(), time.process_time()
        store.materialize(datetime(2020, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC))
        print(json.dumps({"seconds": time.perf_counter() - started, "cpu_seconds": time.process_time() - cpu}))
        return
    names, draw, taken = [f"v:f{place}" for place in range(10)], random.Random(1), []
    for turn in range(READS + 50):
        row = {"e": draw.randrange(entities)}
        started = time.perf_counter()
        store.get_online_features(features=names, entity_rows=[row]).to_dict()
        taken += [(time.perf_counter() - started) * 1e6] if turn >= 50 else []
    taken.sort()
    print(json.dumps({"p50_us": taken[READS // 2], "p99_us": taken[int(READS * 0.99)]}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
