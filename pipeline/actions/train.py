"""Train a model version: snapshot, fit, judge, convert, sign, register."""

import io
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

import joblib
import pyarrow as pa
from django.conf import settings

from features.actions.take_snapshot import take_snapshot
from features.adapters.snapshots import read_snapshot
from features.ground.errors import bounded
from features.ground.progress import Report, silent
from features.models import DatasetVersion, FeatureSnapshot, FeatureView
from models_store.actions.register_version import NewVersion, register_version
from models_store.adapters.provenance import code_version, environment_digest
from models_store.core.quality import DEFAULT_PRIMARY_METRIC
from models_store.core.spec import checked_name
from models_store.models import ModelVersion, RegisteredModel
from pipeline.actions.check_training import accepted_findings
from pipeline.adapters.onnx_export import Export, export
from pipeline.core.row_keys import judged_rows
from pipeline.core.training import TrainedModel, train_on
from pipeline.core.training_errors import InvalidTrainingRequestError, UnknownSnapshotError
from pipeline.core.training_frame import target_name
from pipeline.core.training_plan import TrainingPlan
from pipeline.core.training_schema import input_schema, output_schema, sample_rows

COMPRESSION = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainRequest:
    """What to train, and how.

    Attributes
    ----------
    model : str
        Name of the registered model; made on first use.
    dataset : str
        `D` or `D@N`: take a snapshot of it. Either this or `snapshot_id`.
    snapshot_id : int or None
        A training snapshot that is there already.
    views : sequence of str
        Feature views to join to the dataset's rows.
    target, estimator, params, split, test_size, seed, slices
        See `TrainingPlan`.
    accept, reason : sequence of str, str
        Findings of the leakage check to take responsibility for, and why.
    """

    model: str
    dataset: str = ""
    snapshot_id: int | None = None
    views: Sequence[str] = ()
    target: str = ""
    estimator: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    split: str = ""
    test_size: float = 0.2
    seed: int = 0
    slices: Sequence[str] = ()
    accept: Sequence[str] = ()
    reason: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainResult:
    """What a training made.

    Attributes
    ----------
    model, version, stage
        The version and where it stands: candidate.
    estimator, task, primary_metric : str
        What was fitted, for what, and judged by what.
    metrics : dict
        test, baseline and linear_baseline, and the rows they come from.
    snapshot : int
        What it learnt from.
    artefact_digest : str
        sha256 of the signed manifest.
    engine, engine_reason : str
        onnx, or sklearn and why.
    notes : list of str
        What scikit-learn warned of.
    dropped : dict of str to str
        Columns that were not used, each with the reason.
    seconds : float
        Wall-clock time of the whole.
    """

    model: str
    version: int
    stage: str
    estimator: str
    task: str
    primary_metric: str
    metrics: dict[str, Any]
    snapshot: int
    artefact_digest: str
    engine: str
    engine_reason: str
    notes: list[str]
    dropped: dict[str, str]
    seconds: float


def train(request: TrainRequest, *, actor: str, run_id: UUID | None = None, report: Report = silent) -> TrainResult:
    """Train a model on a snapshot and register it as a candidate.

    Parameters
    ----------
    request : TrainRequest
        What to train, and how.
    actor : str
        Who asks.
    run_id : UUID, optional
        The run this belongs to.
    report : Report
        Told how far it is.

    Returns
    -------
    TrainResult
        Of a version that is written and registered.

    Raises
    ------
    DomainError
        If it can't be done; nothing is registered then.
    """
    started = time.perf_counter()
    plan = _plan(request)
    snapshot = _snapshot(request, actor, report)
    report(18, "reading the snapshot")
    table = read_snapshot(snapshot)
    accepted = _accepted(request, snapshot, table, actor)
    trained = train_on(table, snapshot.columns, plan, report=report)
    report(82, "converting to ONNX")
    new = _new_version(request, trained, snapshot, accepted, actor, run_id)
    new = replace(new, judged=judged_rows(table, snapshot.columns, trained))
    report(95, "signing and registering")
    version = register_version(new)
    report(100, "done")
    return _result(version, new, trained, round(time.perf_counter() - started, 3))


def _result(version: ModelVersion, new: NewVersion, trained: TrainedModel, seconds: float) -> TrainResult:
    return TrainResult(
        model=new.model,
        version=version.number,
        stage=str(version.stage),
        estimator=new.estimator,
        task=new.task,
        primary_metric=version.model.primary_metric,
        metrics={part: trained.metrics[part] for part in ("test", "baseline", "linear_baseline", "rows")},
        snapshot=new.snapshot_id or 0,
        artefact_digest=version.manifest_digest,
        engine=new.engine,
        engine_reason=new.engine_reason,
        notes=trained.params["notes"],
        dropped=trained.features.dropped,
        seconds=seconds,
    )


def _plan(request: TrainRequest) -> TrainingPlan:
    """Check what can be checked before any work is done."""
    checked_name(request.model)
    if bool(request.dataset) == (request.snapshot_id is not None):
        raise InvalidTrainingRequestError("train on either a dataset or a snapshot: give one of the two")
    if request.views and not request.dataset:
        raise InvalidTrainingRequestError("a snapshot already holds its views' features; give views with a dataset")
    task = RegisteredModel.objects.filter(name=request.model).values_list("task", flat=True).first()
    plan = TrainingPlan(
        target=request.target,
        estimator=request.estimator,
        params=request.params,
        split=request.split,
        test_size=request.test_size,
        seed=request.seed,
        slices=request.slices,
        task=task or "",
    )
    plan.checked()
    return plan


def _snapshot(request: TrainRequest, actor: str, report: Report) -> FeatureSnapshot:
    if request.dataset:
        # Before the snapshot, which would be left behind by a refusal.
        target_name(_coming_columns(request), request.target)
        return take_snapshot(
            request.model,
            dataset=request.dataset,
            views=request.views,
            target=request.target,
            accept=request.accept,
            reason=request.reason,
            actor=actor,
            report=lambda percent, step: report(percent * 18 // 100, step),
        )
    training = FeatureSnapshot.objects.filter(kind=FeatureSnapshot.Kind.TRAINING)
    found = training.filter(pk=request.snapshot_id).first() if request.snapshot_id is not None else None
    if found is None:
        raise UnknownSnapshotError(
            f"there is no training snapshot {bounded(request.snapshot_id)}; `manage.py snapshot` takes one",
            snapshot=request.snapshot_id,
        )
    return found


def _coming_columns(request: TrainRequest) -> list[dict[str, str]]:
    """Return name and role of the columns that a snapshot of the dataset and the views will have."""
    dataset = DatasetVersion.objects.resolve(request.dataset).dataset
    own = [{"name": column.name, "role": column.role} for column in dataset.columns()]
    views = [FeatureView.objects.resolve(spec) for spec in request.views]
    made = [{"name": name, "role": "feature"} for view in views for name in view.feature_names]
    return [*own, *made]


def _accepted(request: TrainRequest, snapshot: FeatureSnapshot, table: pa.Table, actor: str) -> list[str]:
    target = target_name(snapshot.columns, request.target)
    return accepted_findings(snapshot, table, target=target, accept=request.accept, reason=request.reason, actor=actor)


def _new_version(
    request: TrainRequest,
    trained: TrainedModel,
    snapshot: FeatureSnapshot,
    accepted: list[str],
    actor: str,
    run_id: UUID | None,
) -> NewVersion:
    columns = input_schema(snapshot.columns, trained.features)
    answers = output_schema(trained.task, trained.classes)
    saved = _saved(trained)
    graph = export(
        trained.pipeline,
        saved,
        trained.features,
        trained.test,
        input_schema=columns,
        output_schema=answers,
        tolerance=settings.CONFIG.model.parity_tolerance,
    )
    return NewVersion(
        model=request.model,
        task=trained.task,
        primary_metric=DEFAULT_PRIMARY_METRIC[trained.task],
        files={"model.joblib": saved} | ({"model.onnx": graph.blob} if graph.blob else {}),
        estimator=trained.estimator,
        engine="onnx" if graph.blob else "sklearn",
        engine_reason=graph.reason,
        input_schema=columns,
        output_schema=answers,
        metrics=trained.metrics,
        params=trained.params | {"views": list(request.views), "parity": _parity(graph), "accepted_findings": accepted},
        snapshot_id=snapshot.pk,
        run_id=run_id,
        code_version=code_version(),
        environment_digest=environment_digest(),
        actor=actor,
        sample=sample_rows(trained.test),
    )


def _saved(trained: TrainedModel) -> bytes:
    buffer = io.BytesIO()
    joblib.dump(trained.pipeline, buffer, compress=COMPRESSION)
    return buffer.getvalue()


def _parity(graph: Export) -> dict[str, Any]:
    return {"rows": graph.rows, "largest_difference": graph.largest_difference, "flipped": graph.flipped}
