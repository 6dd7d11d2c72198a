"""Every engine gives the same values: for labels at their own times, and for all entities at one moment."""

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from django.conf import settings

from features.actions.apply_feature_view import apply_feature_view
from features.actions.ingest import ingest
from features.adapters import partitions
from features.adapters.as_of import values_as_of
from features.adapters.engine import values_at
from features.core.point_in_time import EVENT
from features.core.schema import ColumnRoles
from features.models import DatasetVersion
from tests.features.naive import DERIVED, FEATURES

pytestmark = pytest.mark.django_db(transaction=True)
START = datetime(2026, 3, 1, tzinfo=UTC)
MOMENT = START + timedelta(days=6)
ROWS = 400
NO_SPARK = pytest.mark.skipif(
    not (find_spec("pyspark") and shutil.which("java")), reason="needs the spark extra and a JDK"
)
ENGINES = ["duckdb", "polars", "dask", pytest.param("spark", marks=[pytest.mark.spark, NO_SPARK])]
WHOLE = ("count", "nunique", "share", "last", "min", "max")


def times(seconds: np.ndarray) -> pa.Array:
    base = np.datetime64(START.replace(tzinfo=None), "us")
    return pa.array(base + (seconds * 1_000_000).astype("timedelta64[us]")).cast(pa.timestamp("us", tz="UTC"))


def rows(random: np.random.Generator, *, late: bool) -> pa.Table:
    """Rows with ties, missing keys and values, and late ones."""

    def some(values: Any, share: float) -> pa.Array:
        return pa.array(values, mask=random.random(ROWS) < share)

    at = random.integers(0, 28, ROWS) * 21_600
    lag = random.choice([0, 1, 21_600, 400_000], ROWS) if late else np.zeros(ROWS, int)
    table = {
        "at": times(at),
        "known": pa.array(times(at + lag).to_pylist(), times(at).type, mask=random.random(ROWS) < 0.02 * late),
        "a": some(random.choice(["x", "y", "z"], ROWS).tolist(), 0.05),
        "c": some(random.integers(0, 3, ROWS), 0.02),
        "v": some(random.normal(10, 20, ROWS), 0.2),
        "b": some(random.random(ROWS) < 0.5, 0.2),
        "s": some(random.choice(["p", "q", "r"], ROWS).tolist(), 0.3),
        "i": some(random.integers(0, 5, ROWS), 0.1),
    }
    return pa.table(table)


@pytest.fixture
def made(transactional_db: None, var_dir: Any, write: Callable, tmp_path: Any) -> Callable[[bool], tuple[Any, Any]]:
    """Return a function that ingests rows in two parts and declares the view."""

    def build(late: bool) -> tuple[Any, Any]:
        table = rows(np.random.default_rng(7), late=late)
        table = table if late else table.drop_columns(["known"])
        for part, first in enumerate((0, ROWS // 2)):
            path = tmp_path / f"{part}.parquet"
            pa.parquet.write_table(table.slice(first, ROWS // 2), path)
            ingest("d", [path], actor="test", roles=ColumnRoles(timestamp="at", known_at="known" if late else None))
        body = {"name": "x", "dataset": "d", "entity": ["a", "c"], "features": FEATURES, "derived": DERIVED}
        view = apply_feature_view(body, actor="test")
        return view.definition(), DatasetVersion.objects.resolve("d")

    return build


def use(monkeypatch: pytest.MonkeyPatch, engine: str) -> None:
    config = settings.CONFIG.model_copy(
        update={"features": settings.CONFIG.features.model_copy(update={"engine": engine, "spark_master": "local[2]"})}
    )
    monkeypatch.setattr(settings, "CONFIG", config)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("late", [True, False])
def test_values_as_of_a_moment_are_those_of_labels_at_that_moment(engine, late, made, monkeypatch):
    view, version = made(late)
    use(monkeypatch, engine)
    found = values_as_of(view, version, MOMENT)
    use(monkeypatch, "duckdb")
    at = pa.chunked_array([pa.array([MOMENT] * found.num_rows, pa.timestamp("us", tz="UTC"))])
    wanted = values_at(view, version, found.select(view.entity), at)
    assert found.num_rows == 9
    for name in view.names:
        assert found[name].to_pylist() == wanted[name].to_pylist(), name
    assert found.schema.field(EVENT).type == pa.timestamp("us", tz="UTC")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("late", [True, False])
def test_values_of_labels_are_the_same_on_every_engine(engine, late, made, monkeypatch):
    view, version = made(late)
    monkeypatch.setattr(partitions, "PART_ROWS", 150)
    random = np.random.default_rng(3)
    keys = {
        "a": pa.array(random.choice(["x", "y", "z", "w"], 200).tolist(), mask=random.random(200) < 0.05),
        "c": pa.array(random.integers(0, 4, 200), mask=random.random(200) < 0.05),
    }
    labels, at = pa.table(keys), pa.chunked_array([times(random.integers(0, 40, 200) * 21_600)])
    use(monkeypatch, engine)
    found = values_at(view, version, labels, at)
    use(monkeypatch, "duckdb")
    wanted = values_at(view, version, labels, at)
    assert found.schema == wanted.schema
    assert found.num_rows == 200
    for name in found.column_names:
        assert found[name].to_pylist() == wanted[name].to_pylist(), name
