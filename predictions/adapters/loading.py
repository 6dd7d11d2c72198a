"""From a row of the registry to a model that answers: read, check, load, warm."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
from django.conf import settings
from django.utils import timezone

from features.models import FeatureView
from models_store.adapters.artefacts import read_artefact
from models_store.models import ModelVersion
from predictions import metrics
from predictions.adapters.cache import PredictionCache
from predictions.adapters.gathering import GatheringRuntime
from predictions.adapters.linear import LinearRuntime, graph_runtime
from predictions.adapters.runtime import OnnxRuntime, Runtime, SklearnRuntime
from predictions.core.answer import about_json
from predictions.core.entities import ServedView
from predictions.core.input_limits import InputLimits
from predictions.core.inputs import Columns, InputPlan
from predictions.core.log_entry import LoggedVersion
from predictions.errors import ModelLoadError

ScoreRow = Callable[[Sequence[float]], tuple[Any, Sequence[float] | None]]
QUICK = (LinearRuntime, OnnxRuntime)
# What is answered on the event loop holds up everybody else: so many rows may take this long.
QUICK_ROWS, QUICK_S = 100, 0.002
FILES = {"onnx": "model.onnx", "sklearn": "model.joblib"}


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class LoadedVersion:
    """One version in memory, with everything a request needs of it."""

    model: str
    number: int
    version_id: int
    engine: str
    runtime: Runtime
    # Where one row of numbers can be asked about as it is; what becomes of the columns must not matter to the log.
    score_row: ScoreRow | None
    logged: LoggedVersion
    size_bytes: int
    plan: InputPlan
    classes: tuple[Any, ...]
    views: tuple[ServedView, ...]
    estimator: str
    baseline: Columns
    threshold: float | None
    hidden: frozenset[str]
    max_depth: int
    about: bytes
    loaded_at: datetime
    cache: PredictionCache
    meters: metrics.VersionMeters
    # As it was measured when it was loaded.
    was_quick: bool

    @property
    def is_quick(self) -> bool:
        """Tell whether an answer takes less time than handing the question to another thread would."""
        return self.was_quick and type(self.runtime) in QUICK


def load_version(version: ModelVersion) -> LoadedVersion:
    """Read a version's verified bytes, load them and ask for one prediction."""
    started = time.perf_counter()
    name, config = version.model.name, settings.CONFIG
    runtime, size = _runtime(version)
    plan, hidden = InputPlan(version.input_schema, input_limits()), _hidden(version)
    _warm(runtime, plan, version)
    metrics.model_load_duration_seconds.labels(name).observe(time.perf_counter() - started)
    return LoadedVersion(
        model=name,
        number=version.number,
        version_id=version.pk,
        engine=version.engine,
        runtime=runtime,
        score_row=_score_row(runtime) if plan.plain is not None and hidden.isdisjoint(plan.names) else None,
        logged=LoggedVersion(version.pk, name, plan.layout),
        size_bytes=size,
        plan=plan,
        classes=tuple(version.output_schema.get("classes") or ()),
        views=_views(version),
        estimator=version.estimator,
        # What explanations compare with: the training means, and the first allowed text.
        baseline=_sample(plan, version.metrics.get("features") or {}, 1),
        threshold=version.output_schema.get("threshold"),
        hidden=hidden,
        max_depth=config.security.max_depth,
        about=about_json(name, version.number, "production"),
        loaded_at=timezone.now(),
        # A sum is made sooner than it is found.
        cache=PredictionCache(0 if isinstance(runtime, LinearRuntime) else config.model.cache_size),
        meters=metrics.meters(name, version.number),
        was_quick=isinstance(runtime, QUICK) and _is_quick(runtime, _sample(plan, {}, QUICK_ROWS)),
    )


def input_limits() -> InputLimits:
    """Return what this installation lets in."""
    config = settings.CONFIG
    return InputLimits(
        min_value=config.input_validation.min_value,
        max_value=config.input_validation.max_value,
        max_rows=config.security.max_rows,
        max_string=config.security.max_string,
        nan_replacement=config.nan_replacement,
    )


def _views(version: ModelVersion) -> tuple[ServedView, ...]:
    if version.snapshot is None:
        return ()
    return tuple(_served(view) for view in version.snapshot.views.select_related("dataset").order_by("name"))


def _served(view: FeatureView) -> ServedView:
    columns = {column.name: column for column in view.dataset.columns()}
    return ServedView(
        spec=f"{view.name}@{view.version}",
        entity=tuple(columns[name] for name in view.entity_columns),
        features=tuple(view.feature_names),
    )


def _hidden(version: ModelVersion) -> frozenset[str]:
    """Return the columns the log must not keep: those the contract calls personal, and those the installation names."""
    snapshot = version.snapshot
    personal = [column.name for column in snapshot.dataset_version.dataset.columns() if column.pii] if snapshot else []
    return frozenset((*personal, *settings.CONFIG.prediction_log.redact))


def _runtime(version: ModelVersion) -> tuple[Runtime, int]:
    artefact = read_artefact(version)
    name = FILES[version.engine]
    blob = artefact.files.get(name)
    if blob is None:
        raise ModelLoadError(f"the artefact of {version} holds no {name}, which its engine {version.engine} needs")
    if version.engine == "onnx":
        return graph_runtime(blob, version.input_schema, version.output_schema), len(blob)
    # A pipeline's call costs milliseconds for any number of rows, a graph's less than waiting for others would.
    return GatheringRuntime(SklearnRuntime(blob, version.input_schema, version.output_schema)), len(blob)


def _score_row(runtime: Runtime) -> ScoreRow | None:
    return runtime.score_row if isinstance(runtime, LinearRuntime | OnnxRuntime) and runtime.takes_rows else None


def _warm(runtime: Runtime, plan: InputPlan, version: ModelVersion) -> None:
    means = version.metrics.get("features") or {}
    for rows in (1, 2):
        scores = runtime.score(_sample(plan, means, rows))
        if len(scores.predictions) != rows:
            raise ModelLoadError(f"{version} answered {len(scores.predictions)} predictions for {rows} rows")
        if scores.probabilities is not None and not np.isfinite(scores.probabilities).all():
            raise ModelLoadError(f"{version} answered a probability that is no number")


def _is_quick(runtime: Runtime, frame: Columns) -> bool:
    """Tell whether a model is asked sooner than another thread could be."""
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        runtime.score(frame)
        seconds.append(time.perf_counter() - started)
    return min(seconds) < QUICK_S


def _sample(plan: InputPlan, means: dict[str, Any], rows: int) -> Columns:
    frame: dict[str, npt.NDArray[Any]] = {}
    for column in plan.columns:
        if column["dtype"] == "string":
            text = (column.get("allowed") or ["sample"])[0]
            frame[column["name"]] = np.array([text] * rows, dtype=object)
        else:
            low, high = plan.bounds(column)
            value = min(max(float(means.get(column["name"]) or 0.0), low), high)
            frame[column["name"]] = np.full(rows, value)
    return frame
