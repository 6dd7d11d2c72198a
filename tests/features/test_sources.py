"""What is known of a dataset's rows without reading them, and rows that are in no folder."""

from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.dataset as pads
import pyarrow.parquet as pq
import pytest
from pyarrow import fs

from features.actions.ingest import ingest
from features.adapters.as_of import grid_of, values_as_of
from features.adapters.engine_duckdb import open_duckdb
from features.adapters.engine_polars import open_engine as open_polars
from features.adapters.sources import _read_spans, source_of
from features.core.grid import Span, grid_for, row_bits
from features.core.windows import parse_view
from features.models import DatasetVersion
from tests.features.test_snapshots import CARRIER

VIEW = parse_view(
    {
        **CARRIER,
        "features": [{"name": "m", "column": "delay", "function": "mean", "window": "7d"}, *CARRIER["features"]],
    }
)


@pytest.mark.django_db(transaction=True)
def test_spans_and_rows_are_read_from_the_tables_own_statistics(flights):
    source = source_of(VIEW, DatasetVersion.objects.resolve("flights"))
    assert source.rows == 5
    assert source.spans == {"delay": Span(low=-3, high=40, missing=True), "late": Span(missing=True)}
    assert _read_spans(source.data, ["delay"]) == {"delay": Span(low=-3, high=40)}


@pytest.mark.django_db(transaction=True)
def test_a_grid_stays_while_a_dataset_grows_a_little_and_moves_when_it_has_outgrown_it(flights, write):
    before = grid_of(VIEW, DatasetVersion.objects.resolve("flights"))
    row = "2013-01-04T10:00:00Z,2013-01-04T12:00:00Z,UA,N2,{},\n"
    for delay, same in ((50, True), (50_000, False)):
        ingest("flights", [write("f.csv", "at,known,carrier,tail,delay,late\n" + row.format(delay))], actor="test")
        assert (grid_of(VIEW, DatasetVersion.objects.resolve("flights")) == before) is same


@pytest.mark.django_db(transaction=True)
def test_only_the_entities_asked_for_are_computed(flights):
    version, moment = DatasetVersion.objects.resolve("flights"), datetime(2014, 1, 1, tzinfo=UTC)
    every = values_as_of(VIEW, version, moment)
    assert every["carrier"].to_pylist() == ["AA", "UA"]
    wanted = pa.table({"carrier": ["UA", "UA", "ZZ", None]})
    assert values_as_of(VIEW, version, moment, entities=wanted).equals(every.slice(1))
    assert values_as_of(VIEW, version, datetime(2000, 1, 1, tzinfo=UTC)).num_rows == 0
    assert values_as_of(VIEW, version, datetime(2000, 1, 1, tzinfo=UTC)).schema == every.schema


def test_bits_of_rows_are_rounded_up():
    assert [row_bits(rows) for rows in (0, 10**6, 2**20, 2**24, 2**29, 2**32)] == [20, 20, 24, 28, 30, 33]


def test_the_centre_of_a_grid_is_about_the_middle_of_far_away_values():
    grid = grid_for(Span(low=1e9, high=1e9 + 10), 100, whole=False)
    assert abs(grid.centre - 1e9) <= 16
    assert grid_for(Span(low=0, high=1e308), 100, whole=False).centre == 0.0


@pytest.mark.parametrize("engine", [lambda: open_duckdb({}), open_polars])
def test_rows_that_are_in_no_folder_of_this_machine_are_scanned(engine, tmp_path):
    pq.write_table(pa.table({"a": [1, 2], "b": [3, 4]}), tmp_path / "x.parquet")
    elsewhere = fs.SubTreeFileSystem(str(tmp_path), fs.LocalFileSystem())
    data = pads.dataset("x.parquet", format="parquet", filesystem=elsewhere)
    with engine() as opened:
        found = opened.scan(data, ["b"]).collect("pyarrow").to_native()
    assert found.to_pydict() == {"b": [3, 4]}
