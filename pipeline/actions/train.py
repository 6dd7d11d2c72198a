"""Train a model version: snapshot, fit, judge, convert, sign, register."""

import io
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import joblib
import pyarrow as pa
from django.conf import settings

from features.actions.take_snapshot import take_snapshot
from features.adapters.snapshots import read_snapshot
from features.ground.audit import refusals_audited
from features.ground.canonical import digest
from features.ground.progress import Report, silent
from features.models import FeatureSnapshot
from models_store.actions.register_version import NewVersion, register_version
from models_store.adapters.provenance import code_version, environment_digest
from models_store.core.judged import JudgedRows
from models_store.core.quality import DEFAULT_PRIMARY_METRIC
from models_store.models import ModelVersion
from pipeline.actions.check_training import accepted_findings
from pipeline.actions.train_request import TrainRequest, planned, training_snapshot
from pipeline.adapters.onnx_export import Export, export
from pipeline.adapters.own_estimators import own_estimators
from pipeline.core.estimators import Estimator
from pipeline.core.reproduced import Compared, file_digests, refuse_differences
from pipeline.core.row_keys import judged_rows
from pipeline.core.training import TrainedModel, train_on
from pipeline.core.training_columns import target_name
from pipeline.core.training_plan import TrainingPlan
from pipeline.core.training_schema import input_schema, output_schema, sample_rows

SHOWN_METRICS = ("test", "intervals", "baseline", "linear_baseline", "cross_validation", "rows")
COMPRESSION = 3


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
        test with its intervals, baseline and linear_baseline, cross_validation, and the rows they come from.
    threshold : float or None
        Probability of the second class from which on it is the label, where one was chosen.
    snapshot : int
        What it learnt from.
    artefact_digest : str
        sha256 of the signed manifest.
    model_digest : str
        Of the model's files alone: equal for equal trainings.
    reproducible : bool or None
        Whether a second training was seen to give the same; None where nobody asked.
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
    threshold: float | None
    snapshot: int
    artefact_digest: str
    model_digest: str
    reproducible: bool | None
    engine: str
    engine_reason: str
    notes: list[str]
    dropped: dict[str, str]
    seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class _Made:
    """A trained model, the bytes it is saved as, its graph, and what it said of the test rows."""

    trained: TrainedModel
    saved: bytes
    graph: Export
    judged: JudgedRows

    @property
    def files(self) -> dict[str, bytes]:
        return {"model.joblib": self.saved} | ({"model.onnx": self.graph.blob} if self.graph.blob else {})


@refusals_audited("train", object_type="registered_model", of="request.model")
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
    plan, own = planned(request), own_estimators()
    snapshot = _snapshot(request, actor, report)
    report(18, "reading the snapshot")
    table = read_snapshot(snapshot)
    accepted = _accepted(request, snapshot, table, actor)
    made = _made(table, snapshot, plan, own, report)
    if request.check_reproducible:
        report(85, "training once more")
        refuse_differences(_compared(made), _compared(_made(table, snapshot, plan, own, silent)))
    new = _new_version(request, made, snapshot, accepted, actor, run_id)
    report(95, "signing and registering")
    version = register_version(new)
    report(100, "done")
    return _result(version, new, made.trained, round(time.perf_counter() - started, 3))


def _made(
    table: pa.Table, snapshot: FeatureSnapshot, plan: TrainingPlan, own: Mapping[str, Estimator], report: Report
) -> _Made:
    trained = train_on(table, snapshot.columns, plan, own=own, report=report)
    report(82, "converting to ONNX")
    buffer = io.BytesIO()
    joblib.dump(trained.pipeline, buffer, compress=COMPRESSION)
    saved = buffer.getvalue()
    graph = export(
        trained.pipeline,
        saved,
        trained.features,
        trained.test,
        input_schema=input_schema(snapshot.columns, trained.features),
        output_schema=output_schema(trained.task, trained.classes, trained.threshold),
        tolerance=settings.CONFIG.model.parity_tolerance,
    )
    judged = judged_rows(table, snapshot.columns, trained)
    return _Made(trained=trained, saved=saved, graph=graph, judged=judged)


def _compared(made: _Made) -> Compared:
    return Compared(
        files=file_digests(made.files),
        said=made.trained.judged.said,
        metrics=made.trained.metrics,
        params=made.trained.params,
    )


def _result(version: ModelVersion, new: NewVersion, trained: TrainedModel, seconds: float) -> TrainResult:
    return TrainResult(
        model=new.model,
        version=version.number,
        stage=str(version.stage),
        estimator=new.estimator,
        task=new.task,
        primary_metric=version.model.primary_metric,
        metrics={part: trained.metrics[part] for part in SHOWN_METRICS},
        threshold=trained.threshold,
        snapshot=new.snapshot_id or 0,
        artefact_digest=version.manifest_digest,
        model_digest=new.params["model_digest"],
        reproducible=new.params["reproducible"],
        engine=new.engine,
        engine_reason=new.engine_reason,
        notes=trained.params["notes"],
        dropped=trained.features.dropped,
        seconds=seconds,
    )


def _snapshot(request: TrainRequest, actor: str, report: Report) -> FeatureSnapshot:
    if not request.dataset:
        return training_snapshot(request.snapshot_id)
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


def _accepted(request: TrainRequest, snapshot: FeatureSnapshot, table: pa.Table, actor: str) -> list[str]:
    target = target_name(snapshot.columns, request.target)
    return accepted_findings(
        snapshot,
        table,
        target=target,
        accept=request.accept,
        reason=request.reason,
        actor=actor,
        by_lot=request.split == "random",
    )


def _new_version(
    request: TrainRequest,
    made: _Made,
    snapshot: FeatureSnapshot,
    accepted: list[str],
    actor: str,
    run_id: UUID | None,
) -> NewVersion:
    trained, graph = made.trained, made.graph
    own = {
        "views": list(request.views),
        "parity": {"rows": graph.rows, "largest_difference": graph.largest_difference, "flipped": graph.flipped},
        "accepted_findings": accepted,
        "model_digest": digest(file_digests(made.files)),
        # Whether a second training of the same was seen to give the same; None where nobody asked.
        "reproducible": True if request.check_reproducible else None,
    }
    return NewVersion(
        model=request.model,
        task=trained.task,
        primary_metric=DEFAULT_PRIMARY_METRIC[trained.task],
        files=made.files,
        estimator=trained.estimator,
        engine="onnx" if graph.blob else "sklearn",
        engine_reason=graph.reason,
        input_schema=input_schema(snapshot.columns, trained.features),
        output_schema=output_schema(trained.task, trained.classes, trained.threshold),
        metrics=trained.metrics,
        params=trained.params | own,
        snapshot_id=snapshot.pk,
        run_id=run_id,
        code_version=code_version(),
        environment_digest=environment_digest(),
        actor=actor,
        sample=sample_rows(trained.test),
        judged=made.judged,
    )
