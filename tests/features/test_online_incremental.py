"""Bringing served values up to date gives what computing all of them gives, to the bit."""

import itertools
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from features.actions.apply_feature_view import apply_feature_view
from features.actions.ingest import ingest
from features.actions.materialize import materialize
from features.adapters.as_of import values_as_of
from features.core.entity_keys import entity_keys
from features.core.packed import pack
from features.core.point_in_time import EVENT
from features.core.schema import ColumnRoles
from features.errors import EmptyFileError
from features.models import DatasetVersion, OnlineFeature

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("var_dir")]
START = datetime(2024, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
UNSUMMED = [
    {"name": f"{function}_{window}", "function": function, "column": "x", "window": window}
    for function in ("count", "min", "max", "last")
    for window in ("3h", "1d")
]
SUMMED = [
    {"name": f"{function}_x", "function": function, "column": "x", "window": "6h"}
    for function in ("sum", "mean", "std")
]
SCHEMA = [
    {"name": "at", "dtype": "timestamp", "role": "timestamp", "nullable": False},
    {"name": "known", "dtype": "timestamp", "role": "known_at"},
    {"name": "e", "dtype": "integer", "role": "entity"},
    {"name": "x", "dtype": "number"},
]
numbers = itertools.count()
row = st.tuples(
    st.integers(0, 4),  # entity
    st.integers(0, 40),  # hours after the start
    st.integers(0, 30),  # hours until it is known
    st.none() | st.floats(-1e6, 1e6),
)
batches = st.lists(st.tuples(st.lists(row, min_size=1, max_size=6), st.integers(1, 90)), min_size=2, max_size=4)


def write(path, rows):
    entities, hours, waits, values = zip(*rows, strict=True)
    at = [START + hour * HOUR for hour in hours]
    known = [time + wait * HOUR for time, wait in zip(at, waits, strict=True)]
    times = pa.timestamp("us", tz="UTC")
    columns = {"at": pa.array(at, times), "known": pa.array(known, times), "e": pa.array(entities, pa.int64())}
    pq.write_table(pa.table(columns | {"x": pa.array(values, pa.float64())}), path)
    return path


def stored(view):
    return dict(OnlineFeature.objects.filter(snapshot__live_in__name=view).values_list("entity_key", "packed"))


def computed(view, moment):
    definition = view.definition()
    values = values_as_of(definition, DatasetVersion.objects.resolve(definition.dataset), moment)
    packed = pack(values.drop_columns(["e", EVENT]), values[EVENT].cast(pa.int64()))
    return dict(zip(entity_keys(values.select(["e"])), packed, strict=True))


@pytest.mark.parametrize("features", [UNSUMMED, SUMMED], ids=["unsummed", "summed"])
@settings(
    max_examples=8,
    deadline=None,
    # Smaller examples are sought for minutes, each through a whole ingestion.
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(batches=batches)
def test_incremental_equals_full_after_any_batches_at_any_moments(tmp_path, features, batches):
    name, view = f"d{next(numbers)}", None
    for place, (rows, hour) in enumerate(batches):
        path = write(tmp_path / f"{name}-{place}.parquet", rows)
        ingest(name, [path], actor="test", schema=SCHEMA if view is None else None)
        view = view or apply_feature_view(
            {"name": name, "dataset": name, "entity": "e", "features": features}, actor="test"
        )
        moment = START + hour * HOUR
        try:
            made = materialize(name, as_of=moment, actor="test")
        except EmptyFileError:
            assert computed(view, moment) == {}
            continue
        assert stored(name) == computed(view, moment)
        assert made.rows == len(stored(name))


def test_few_of_many_are_computed_for_a_late_row(tmp_path):
    rows = [(entity, hour, 0, float(hour)) for entity in range(50) for hour in range(20)]
    roles = ColumnRoles(timestamp="at", known_at="known")
    ingest("d", [write(tmp_path / "1.parquet", rows)], actor="test", roles=roles)
    view = apply_feature_view({"name": "v", "dataset": "d", "entity": "e", "features": UNSUMMED}, actor="test")
    moment = START + 20 * HOUR
    assert materialize("v", as_of=moment, actor="test").mode == "full"
    ingest("d", [write(tmp_path / "2.parquet", [(7, 19, 0, 3.0), (50, 3, 1, 1.0)])], actor="test")
    made = materialize("v", as_of=moment, actor="test")
    assert (made.mode, made.changed, made.rows) == ("incremental", 2, 51)
    assert stored("v") == computed(view, moment)
    assert materialize("v", as_of=moment, full=True, actor="test").mode == "full"
    assert stored("v") == computed(view, moment)


def test_more_than_one_part_is_copied(tmp_path, monkeypatch):
    from features.adapters import online_database

    monkeypatch.setattr(online_database, "CARRIED_ROWS", 7)
    rows = [(entity, 1, 0, float(entity)) for entity in range(30)]
    ingest("d", [write(tmp_path / "1.parquet", rows)], actor="test", roles=ColumnRoles(timestamp="at"))
    view = apply_feature_view({"name": "v", "dataset": "d", "entity": "e", "features": UNSUMMED}, actor="test")
    moment = START + 2 * HOUR
    materialize("v", as_of=moment, actor="test")
    ingest("d", [write(tmp_path / "2.parquet", [(3, 1, 0, 5.0)])], actor="test")
    assert materialize("v", as_of=moment, actor="test").mode == "incremental"
    assert stored("v") == computed(view, moment)
    assert len(stored("v")) == 30


def test_values_of_another_basis_are_computed_in_full(tmp_path):
    rows = [(entity, 1, 0, float(entity)) for entity in range(9)]
    ingest("d", [write(tmp_path / "1.parquet", rows)], actor="test", roles=ColumnRoles(timestamp="at"))
    apply_feature_view({"name": "v", "dataset": "d", "entity": "e", "features": SUMMED}, actor="test")
    materialize("v", as_of=START + 2 * HOUR, actor="test")
    # A value this large makes the steps in which all values are summed coarser.
    ingest("d", [write(tmp_path / "2.parquet", [(3, 1, 0, 1e12)])], actor="test")
    assert materialize("v", as_of=START + 2 * HOUR, actor="test").mode == "full"
