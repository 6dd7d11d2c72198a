"""Values to compare: those a model was trained on, those it was asked with, those of a file."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
from django.conf import settings

from features.adapters.snapshots import read_snapshot
from models_store.models import ModelVersion
from pipeline.adapters.tables import TableSource
from pipeline.core.drift import DriftMethod, drift_method, sample
from pipeline.errors import EmptyWindowError, NoTrainingSnapshotError
from predictions.models import Prediction

_FILE_CHUNK = 50_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Sampled:
    """A sample of rows, and how many rows it stands for."""

    frame: pd.DataFrame
    rows: int


def drift_settings(name: str | None) -> DriftMethod:
    """Return the measure asked for, or the configured one, with its limits."""
    config = settings.CONFIG.drift
    chosen = name or config.method
    threshold = config.threshold if chosen == config.method else None
    return drift_method(chosen, drift_share=config.drift_share, threshold=threshold)


def window_hours(asked: float | None) -> float:
    """Return the window asked for, or the configured one, in hours."""
    return float(settings.CONFIG.drift.window_hours if asked is None else asked)


def training_values(version: ModelVersion) -> Sampled:
    """Return a sample of the snapshot a version was trained on.

    Raises
    ------
    NoTrainingSnapshotError
        If the version has none.
    """
    if version.snapshot is None:
        raise NoTrainingSnapshotError(
            f"{version} was not trained here: there is no snapshot to compare with", version=str(version)
        )
    names = [column["name"] for column in version.input_schema]
    table = read_snapshot(version.snapshot)
    table = table.select([name for name in names if name in table.column_names])
    kept, count = sample(range(table.num_rows), _limit())
    return Sampled(frame=table.take(sorted(kept)).to_pandas(), rows=count)


def served_values(version: ModelVersion, start: datetime, end: datetime) -> Sampled:
    """Return a sample of what the version's model was asked with, shadow answers left out.

    Raises
    ------
    EmptyWindowError
        If nobody asked in the window.
    """
    kept, count = sample(_served_rows(version, start, end), _limit())
    if not kept:
        raise EmptyWindowError(
            f"{version.model.name} answered nothing from {start.isoformat()} to {end.isoformat()}: "
            "give a longer --window, or a file with --current",
            model=version.model.name,
        )
    return Sampled(frame=pd.DataFrame.from_records(kept), rows=count)


def file_values(version: ModelVersion, path: Path) -> Sampled:
    """Return a sample of a file's rows.

    Raises
    ------
    EmptyWindowError
        If the file has no rows, or none of the model's columns.
    """
    source = TableSource(path)
    names = [column["name"] for column in version.input_schema if column["name"] in source.columns]
    if not names:
        raise EmptyWindowError(f"{path.name} has none of the inputs of {version}: it has {source.columns}")
    kept, count = sample(_file_rows(source, names), _limit())
    if not kept:
        raise EmptyWindowError(f"{path.name} has a header and no rows")
    frame = pd.DataFrame.from_records(kept, columns=names)
    return Sampled(frame=frame.replace("", None) if source.format == "csv" else frame, rows=count)


def _limit() -> int:
    return int(settings.CONFIG.drift.max_rows)


def _served_rows(version: ModelVersion, start: datetime, end: datetime) -> Iterator[dict[str, Any]]:
    asked = Prediction.objects.filter(model_version__model=version.model, at__gte=start, at__lt=end)
    asked = asked.exclude(role=Prediction.Role.SHADOW).order_by("at", "id")
    for columns, inputs in asked.values_list("columns", "inputs").iterator(chunk_size=2000):
        for row in inputs:
            yield dict(zip(columns, row, strict=False))


def _file_rows(source: TableSource, names: list[str]) -> Iterator[tuple[Any, ...]]:
    for chunk in source.chunks(_FILE_CHUNK):
        yield from zip(*(chunk.table.column(name).to_pylist() for name in names), strict=True)
