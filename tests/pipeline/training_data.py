"""Small tables to train on, in the form of a snapshot."""

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from features.ground.canonical import digest

DTYPES = {pa.float64(): "number", pa.int64(): "integer", pa.bool_(): "boolean", pa.string(): "string"}
Columns = list[dict[str, Any]]


def table_of(data: dict[str, Any], **roles: str) -> tuple[pa.Table, Columns]:
    """Return the data as a snapshot's table and columns; roles by column, feature where none is given."""
    table = pa.Table.from_pandas(pd.DataFrame(data), preserve_index=False)
    fields = [field.with_type(pa.string()) if pa.types.is_large_string(field.type) else field for field in table.schema]
    table = table.cast(pa.schema(fields))
    columns = [
        {
            "name": field.name,
            "dtype": "timestamp" if pa.types.is_timestamp(field.type) else DTYPES[field.type],
            "nullable": True,
            "min": None,
            "max": None,
            "allowed": None,
            "role": roles.get(field.name, "feature"),
        }
        for field in table.schema
    ]
    return table, columns


def flights(rows: int = 400, *, target: str = "late", seed: int = 1) -> tuple[pa.Table, Columns]:
    """Return flights whose lateness depends on carrier, wind and hour.

    `target` chooses its kind: late (yes/no), how_late (three labels), stars (integers), delay (minutes).
    """
    draw = np.random.default_rng(seed)
    carrier = draw.choice(np.array(["AA", "B6", "UA", None], dtype=object), rows)
    wind, hour = draw.normal(10, 4, rows), draw.integers(5, 23, rows)
    wind[::9] = np.nan
    strength = 0.3 * (np.nan_to_num(wind, nan=10) - 10) + 2.0 * (carrier == "B6") + 0.1 * (hour - 14)
    strength = strength + draw.normal(0, 0.7, rows)
    targets = {
        "late": strength > 0,
        "how_late": np.where(strength > 1, "very", np.where(strength > 0, "a bit", "not")),
        "stars": np.clip(np.round(strength), -1, 1).astype(int),
        "delay": strength * 20,
    }
    departs = pd.Timestamp("2013-01-01", tz="UTC") + pd.to_timedelta(np.arange(rows), unit="h")
    data = {
        "departs": departs.as_unit("us"),
        "carrier": carrier,
        "wind (kt)": wind,
        "hour": hour,
        "weekend": draw.random(rows) > 0.7,
        target: targets[target],
    }
    return table_of(data, departs="timestamp", **{target: "target"})


def fingerprint(values: Any) -> str:
    """Return a digest of numbers, to compare predictions by."""
    return digest(np.asarray(values).tolist())
