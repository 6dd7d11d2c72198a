"""A value of a unique column comes once, in the ingestion and in the table."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.actions import ingest as ingesting
from features.actions.ingest import ingest
from features.adapters.delta import read_quarantine, read_table
from features.adapters.staging import staging
from features.adapters.uniqueness import repeated_rows
from features.core.checks import RowChecker
from features.core.schema import parse_columns
from features.core.sources import RawChunk
from features.errors import DatasetChangedError
from features.models import DatasetVersion

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("var_dir")]
SCHEMA = [
    {"name": "k", "dtype": "string", "unique": True},
    {"name": "n", "dtype": "integer", "unique": True, "max": 100},
]


def refused(fingerprint):
    found = read_quarantine("d", fingerprint)
    return {row["row"]: [(one["column"], one["rule"], one["value"]) for one in row["reasons"]] for row in found}


def test_a_repeated_value_is_a_fault_of_its_row_with_all_others(write):
    rows = "k,n\na,1\nb,2\na,3\nb,999\n,5\n,6\nc,2\nd,7\nd,500\n"
    made = ingest("d", [write("d.csv", rows)], actor="test", schema=SCHEMA, max_rejected=0.9)
    assert refused(made.fingerprint) == {
        3: [("k", "not_unique", "a")],
        4: [("k", "not_unique", "b"), ("n", "above_maximum", "999")],
        7: [("n", "not_unique", "2")],
        9: [("k", "not_unique", "d"), ("n", "above_maximum", "500")],
    }
    assert json.loads(read_quarantine("d", made.fingerprint)[0]["raw"]) == {"k": "a", "n": "3"}
    assert made.reasons == {"not_unique": 4, "above_maximum": 2}


def test_a_value_of_the_table_is_taken(write):
    ingest("d", [write("1.csv", "k,n\na,1\nb,2\n")], actor="test", schema=SCHEMA)
    made = ingest("d", [write("2.csv", "k,n\nc,3\nb,4\nd,1\n")], actor="test", max_rejected=0.9)
    assert refused(made.fingerprint) == {2: [("k", "not_unique", "b")], 3: [("n", "not_unique", "1")]}
    version = DatasetVersion.objects.resolve("d")
    assert sorted(read_table("d", version.delta_version)["k"].to_pylist()) == ["a", "b", "c"]


def test_a_faulty_row_takes_no_value(write):
    made = ingest("d", [write("1.csv", "k,n\na,500\na,1\n")], actor="test", schema=SCHEMA, max_rejected=0.9)
    assert refused(made.fingerprint) == {1: [("n", "above_maximum", "500")]}


def test_rows_compared_with_a_table_that_grew_are_checked_again(write, monkeypatch):
    ingest("d", [write("1.csv", "k,n\na,1\n")], actor="test", schema=SCHEMA)
    late, inner = write("2.csv", "k,n\nb,2\n"), write("3.csv", "k,n\nb,3\n")
    looking = ingesting.beside_rows

    def while_looking(*arguments, **options):
        monkeypatch.setattr(ingesting, "beside_rows", looking)
        ingest("d", [inner], actor="other")
        return looking(*arguments, **options)

    monkeypatch.setattr(ingesting, "beside_rows", while_looking)
    with pytest.raises(DatasetChangedError, match="rows were added to 'd' while these were compared"):
        ingest("d", [late], actor="test")
    assert DatasetVersion.objects.count() == 2


KEYS = st.lists(st.tuples(st.sampled_from(["a", "b", "c", "é", None]), st.one_of(st.integers(99, 102))), max_size=12)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(KEYS, st.sampled_from([1, 3, 50]))
def test_repeated_rows_are_those_of_a_plain_loop(var_dir, rows, chunk):
    import numpy as np
    import pyarrow as pa

    columns = parse_columns(SCHEMA)
    checker = RowChecker(columns)
    with staging(columns, "f") as staged:
        for first in range(0, len(rows), chunk):
            some = rows[first : first + chunk]
            table = pa.table({"k": pa.array([k for k, _ in some], pa.string()), "n": pa.array([n for _, n in some])})
            staged.add(RawChunk(table=table, rows=np.arange(first + 1, first + 1 + len(some))), checker.check(table))
        staged.close()
        found = {name: again.tolist() for name, again in repeated_rows(staged, None).items()}
    expected = {}
    for place, name in enumerate(("k", "n")):
        taken = set()
        for number, row in enumerate(rows, start=1):
            value = row[place]
            if value is not None and value in taken:
                expected.setdefault(name, []).append(number)
            if row[1] <= 100 and value is not None:
                taken.add(value)
    assert found == expected
