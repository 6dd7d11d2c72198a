"""Spark: this machine's cores, or the cluster `features.spark_master` names; one session for the process."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import narwhals.stable.v2 as nw
import pyarrow as pa
import pyarrow.dataset as pads
from django.conf import settings
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession, functions

from features.adapters.parquet_scans import local_files
from features.adapters.partitions import part_values, parts_of
from features.core.part import History
from features.errors import EngineMissingError
from features.ground.errors import bounded

OPTIONS = {
    "spark.app.name": "mlsite features",
    "spark.sql.session.timeZone": "UTC",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}


PART = "__part"


class SparkEngine:
    """Frames of one session."""

    name = "spark"

    def __init__(self, session: SparkSession) -> None:
        self.session = session

    def frame(self, table: pa.Table) -> nw.LazyFrame[Any]:
        """Return a table of this process as a lazy frame."""
        frame: nw.LazyFrame[Any] = nw.from_native(self.session.createDataFrame(table)).lazy()
        return frame

    def scan(self, data: pads.Dataset, columns: Sequence[str]) -> nw.LazyFrame[Any]:
        """Return columns of Parquet files as a lazy frame."""
        frame: nw.LazyFrame[Any] = nw.from_native(self._read(data)).lazy()
        return frame.select(*columns)

    def _read(self, data: pads.Dataset) -> DataFrame:
        files = local_files(data)
        if files is None:
            raise EngineMissingError(
                "features.engine spark reads tables in folders that its workers see, not in a bucket: Spark would need "
                "Hadoop's S3 libraries; use duckdb, polars or dask with storage by URL",
                engine="spark",
            )
        # Files and no folders: what a path says of its partition is in no column.
        return self.session.read.option("recursiveFileLookup", "true").parquet(*files)

    def history(self, history: History, labels: pa.Table, data: pads.Dataset) -> pa.Table:
        """Bring labels and rows of an entity together in one part, and compute it there."""
        rows = self._read(data).select(*history.columns)
        part = functions.pmod(functions.xxhash64(*history.view.entity), functions.lit(parts_of(history)))
        asked, held = (
            frame.withColumn(PART, part).groupBy(PART) for frame in (self.session.createDataFrame(labels), rows)
        )
        schema = self.session.createDataFrame(history.schema.empty_table()).schema
        found = asked.cogroup(held).applyInArrow(partial(part_values, history), schema)
        return found.toArrow().cast(history.schema)


@contextmanager
def open_engine() -> Iterator[SparkEngine]:
    """Give the engine.

    Raises
    ------
    EngineMissingError
        If the cluster does not answer.
    """
    master = settings.CONFIG.features.spark_master or "local[*]"
    options: dict[str, bool | float | int | str | None] = {
        **OPTIONS,
        "spark.executorEnv.PYTHONPATH": str(settings.BASE_DIR),
    }
    if master.startswith("local"):
        options["spark.driver.bindAddress"] = options["spark.driver.host"] = "127.0.0.1"
        # Its workers are this interpreter; those of a cluster are named there.
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    try:
        session = SparkSession.builder.master(master).config(map=options).getOrCreate()
    except (PySparkException, OSError, RuntimeError) as error:
        raise EngineMissingError(
            f"Spark does not start with features.spark_master {bounded(master)!r}: {bounded(str(error))}",
            engine="spark",
        ) from error
    session.sparkContext.setLogLevel("ERROR")
    yield SparkEngine(session)
