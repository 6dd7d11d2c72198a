"""What a trained model tells its callers."""

import json

import numpy as np
import pandas as pd

from pipeline.core.preprocessing import Features
from pipeline.core.training_schema import input_schema, output_schema, sample_rows

FEATURES = Features(names=("wind", "carrier", "weekend"), categorical=frozenset({"carrier"}), dropped={})
COLUMNS = [
    {"name": "weekend", "dtype": "boolean", "nullable": False, "min": None, "max": None, "allowed": [True, False]},
    {"name": "wind", "dtype": "number", "nullable": True, "min": 0.0, "max": None, "allowed": None},
    {"name": "carrier", "dtype": "string", "nullable": False, "min": None, "max": None, "allowed": ["AA", "B6"]},
]


def test_input_schema_follows_the_features_and_the_contract() -> None:
    assert input_schema(COLUMNS, FEATURES) == [
        {"name": "wind", "dtype": "number", "nullable": True, "min": 0.0, "max": None},
        {"name": "carrier", "dtype": "string", "nullable": False, "min": None, "max": None, "allowed": ["AA", "B6"]},
        {"name": "weekend", "dtype": "number", "nullable": False, "min": 0.0, "max": 1.0},
    ]


def test_output_schema_holds_the_labels_in_order() -> None:
    assert output_schema("classification", ["no", "yes"]) == {"task": "classification", "classes": ["no", "yes"]}


def test_sample_rows_are_spread_and_json_compatible() -> None:
    frame = pd.DataFrame({"wind": np.arange(11.0), "carrier": pd.array([None, *"abcdefghij"], dtype="str")})
    frame.loc[2, "wind"] = np.nan
    rows = sample_rows(frame)
    assert rows == [[0.0, None], [None, "b"], [4.0, "d"], [6.0, "f"], [8.0, "h"]]
    assert json.loads(json.dumps(rows)) == rows
