"""A file with planted faults: exactly those rows are refused, for exactly those reasons, whatever the format."""

import json
from datetime import datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.actions.ingest import ingest
from features.adapters.delta import read_table
from features.adapters.quarantine import read_quarantined
from features.models import Dataset, DatasetVersion

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("var_dir")]
SCHEMA = [
    {
        "name": "at",
        "dtype": "timestamp",
        "nullable": False,
        "role": "timestamp",
        "min": "2013-01-01",
        "max": "2013-12-31",
    },
    {"name": "id", "dtype": "string", "nullable": False, "unique": True, "pattern": "[A-Z]+[0-9]+"},
    {"name": "n", "dtype": "integer", "min": 0, "max": 1000},
    {"name": "x", "dtype": "number", "min": -1.5, "max": 1.5},
    {"name": "k", "dtype": "string", "allowed": ["red", "green"]},
    {"name": "b", "dtype": "boolean"},
    {"name": "who", "dtype": "string", "pii": True, "pattern": "[a-z ]+"},
]
GOOD = {"at": "2013-06-01T10:00:00Z", "id": "A", "n": 5, "x": 0.5, "k": "red", "b": True, "who": "ann"}
# Faults a typed file can carry too: by row, what is there instead, and every reason.
PLANTED = {
    3: ({"at": None}, [("at", "missing_value", None)]),
    7: ({"at": "2012-12-31T23:59:59Z"}, [("at", "below_minimum", "2012-12-31T23:59:59Z")]),
    8: ({"at": "2013-12-31T00:00:01Z"}, [("at", "above_maximum", "2013-12-31T00:00:01Z")]),
    11: ({"id": None}, [("id", "missing_value", None)]),
    12: ({"id": "a1"}, [("id", "pattern_not_met", "a1")]),
    13: ({"id": "A5"}, [("id", "not_unique", "A5")]),
    20: ({"n": -1, "x": 2.5}, [("n", "below_minimum", "-1"), ("x", "above_maximum", "2.5")]),
    21: ({"n": 1001, "k": "blue"}, [("n", "above_maximum", "1001"), ("k", "not_allowed", "blue")]),
    22: ({"x": -1.75, "who": "Ann"}, [("x", "below_minimum", "-1.75"), ("who", "pattern_not_met", "(hidden)")]),
    23: ({"x": float("inf")}, [("x", "not_number", "inf")]),
    30: ({"k": "r" * 300}, [("k", "not_allowed", "r" * 119 + "…")]),
    31: ({"k": "", "who": "ann\n"}, [("k", "not_allowed", ""), ("who", "pattern_not_met", "(hidden)")]),
    40: ({"who": "a\x00b"}, [("who", "not_text", "(hidden)")]),
    41: (
        {"at": None, "id": "A5", "n": -2, "x": 9.0, "k": "x", "who": "!"},
        [
            ("at", "missing_value", None), ("id", "not_unique", "A5"), ("n", "below_minimum", "-2"),
            ("x", "above_maximum", "9.0"), ("k", "not_allowed", "x"), ("who", "pattern_not_met", "(hidden)"),
        ],
    ),
}  # fmt: skip
# Faults that only formats without types can carry.
UNTYPED = {
    50: ({"at": "2013-02-30T00:00:00Z"}, [("at", "not_timestamp", "2013-02-30T00:00:00Z")]),
    51: ({"n": "many", "b": "maybe"}, [("n", "not_integer", "many"), ("b", "not_boolean", "maybe")]),
    52: ({"n": "99999999999999999999"}, [("n", "not_integer", "99999999999999999999")]),
    53: ({"x": "1e999"}, [("x", "not_number", "1e999")]),
    54: ({"n": "1.5", "x": "one"}, [("n", "not_integer", "1.5"), ("x", "not_number", "one")]),
}
ROWS = 60


def rows(planted):
    return [
        {**GOOD, "id": f"A{number}", **(planted[number][0] if number in planted else {})}
        for number in range(1, ROWS + 1)
    ]


def as_csv(path, planted):
    names = [column["name"] for column in SCHEMA]
    # An empty cell is missing here, so the empty text is marked by what no cell means by it.
    lines = [
        ",".join("" if row[name] is None else json.dumps(row[name]).replace("\\n", "\n").replace("\\u0000", "\x00")
                 if isinstance(row[name], str) else str(row[name]).lower() for name in names)
        for row in planted
    ]  # fmt: skip
    path.write_text("\n".join([",".join(names), *lines]) + "\n")


def as_json(path, planted):
    lines = [{name: "inf" if value == float("inf") else value for name, value in row.items()} for row in planted]
    path.write_text("\n".join(map(json.dumps, lines)))


def as_parquet(path, planted):
    times = [row["at"] and datetime.fromisoformat(row["at"]) for row in planted]
    kinds = {"n": pa.int32(), "x": pa.float64(), "b": pa.bool_()}
    columns = {
        name: pa.array(times, pa.timestamp("ms", "UTC"))
        if name == "at"
        else pa.array([row[name] for row in planted], kinds.get(name, pa.string()))
        for name in GOOD
    }
    pq.write_table(pa.table(columns), path, row_group_size=7)


@pytest.mark.parametrize(
    ("name", "writer", "planted"),
    [
        ("d.csv", as_csv, PLANTED | UNTYPED),
        ("d.jsonl", as_json, PLANTED | UNTYPED),
        ("d.parquet", as_parquet, PLANTED),
    ],
)
def test_planted_faults_are_refused_and_nothing_else(tmp_path, name, writer, planted):
    if name == "d.csv":
        # An unquoted empty cell is a missing value, which this column may have.
        planted = {**planted, 31: ({"who": "ann\n"}, [("who", "pattern_not_met", "(hidden)")])}
    writer(tmp_path / name, rows(planted))
    made = ingest("d", [tmp_path / name], actor="test", schema=SCHEMA, max_rejected=1)
    found = read_quarantined(Dataset.objects.get(), limit=ROWS)
    reasons = {row.row: [(one["column"], one["rule"], one["value"]) for one in row.reasons] for row in found.rows}
    assert reasons == {row: said for row, (_, said) in planted.items()}
    assert (made.rows_valid, made.rows_rejected, found.total) == (ROWS - len(planted), len(planted), len(planted))
    kept = read_table("d", DatasetVersion.objects.get().delta_version)["id"].to_pylist()
    assert kept == [f"A{number}" for number in range(1, ROWS + 1) if number not in planted]
    whole = {row.row: row.values for row in read_quarantined(Dataset.objects.get(), limit=ROWS, reveal=True).rows}
    assert whole[41]["k"] == "x"
    assert whole[30]["k"] == "r" * 300
    assert {row: set(values) for row, values in whole.items()} == {row: set(GOOD) for row in planted}
