"""What is held in memory while parts of a table are written anew."""

import numpy as np
import pyarrow as pa

from features.adapters import commits
from features.core.partitions import PARTITION


def test_parts_that_are_all_open_share_a_room(var_dir, monkeypatch):
    monkeypatch.setattr(commits, "ROW_GROUP", 1000)
    monkeypatch.setattr(commits, "FEWEST_BYTES", 1)
    monkeypatch.setattr(commits, "OPEN_BYTES", 64_000)
    parts = ["2024", "2025"]
    values = np.random.default_rng(0).random(20_000)
    rows = pa.table({"x": values, PARTITION: np.repeat(parts, 10_000)})
    files = []
    for known in (None, parts):
        mode = "append" if known is None else "overwrite"
        commits.commit("d", rows.to_reader(1000), mode=mode, about={}, partitioned=True, parts=known)
        files.append(len(commits.table_place("d").table().file_uris()))
    # Of a part's 80 kB, 32 may be held at a time.
    assert files[1] > files[0]
    found = commits.table_place("d").table().to_pyarrow_table(columns=["x"])
    assert sorted(found["x"].to_pylist()) == sorted(values)
