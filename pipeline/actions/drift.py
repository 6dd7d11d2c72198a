"""Hold served values against training values and say whether they moved."""

import uuid
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from features.ground.progress import Report, silent
from models_store.models import ModelVersion
from pipeline.actions.alerts import raise_alert
from pipeline.adapters.evidently_report import measure_drift
from pipeline.adapters.reports import write_report
from pipeline.adapters.served import (
    Sampled,
    drift_settings,
    file_values,
    served_values,
    training_values,
)
from pipeline.adapters.served import (
    window_hours as hours_or_default,
)
from pipeline.core.drift import METHODS, compare
from pipeline.errors import EmptyWindowError, InvalidMonitoringError
from pipeline.models import DriftReport

MAX_HOURS = 24 * 366 * 10


def report_drift(
    model: str,
    *,
    window_hours: float | None = None,
    current: Path | None = None,
    method: str | None = None,
    actor: str,
    run_id: UUID | None = None,
    report: Report = silent,
) -> DriftReport:
    """Compare what a model is asked with what it was trained on, and keep the report.

    Parameters
    ----------
    model, actor : str
        `MODEL`, its production version, or `MODEL@N`; and who asks.
    window_hours : float, optional
        How far back to look in the prediction log, in hours; the configured window by default.
    current : Path, optional
        A file or folder to compare instead of the log.
    method : str, optional
        Measure of the numerical columns; the configured one by default.
    run_id : UUID, optional
        The run this is done in.
    report : Report
        Takes a percent and a step.

    Returns
    -------
    DriftReport
        The stored verdict; a dataset that drifted has raised an alert too.

    Raises
    ------
    EmptyWindowError, NoTrainingSnapshotError, InvalidMonitoringError
        If there is nothing to compare, or with; or if the method or the window is none that exists.
    """
    hours = _checked(method, hours_or_default(window_hours))
    version, end = ModelVersion.objects.resolve(model), timezone.now()
    start = end - timedelta(hours=hours)
    report(5, "reading the training snapshot, then what was served")
    reference = training_values(version)
    served = file_values(version, current) if current else served_values(version, start, end)
    row = DriftReport(run_id=run_id, model_version=version, **_origin(current, start, end))
    _measure(row, reference, served, method, report)
    with transaction.atomic(durable=True):
        row.save(force_insert=True)
    _alert(row, run_id)
    report(100, "done")
    return row


def _origin(current: Path | None, start: datetime, end: datetime) -> dict[str, Any]:
    if current:
        return {"source": str(current)[-300:]}
    return {"source": "prediction log", "window_start": start, "window_end": end}


def _checked(method: str | None, hours: float) -> float:
    if method is not None and method not in METHODS:
        raise InvalidMonitoringError(f"the method must be one of {', '.join(METHODS)}; got {method!r}")
    if not 0 < hours <= MAX_HOURS:
        raise InvalidMonitoringError(f"the window must be over 0 and at most {MAX_HOURS} hours; got {hours}")
    return hours


def _measure(row: DriftReport, reference: Sampled, served: Sampled, method: str | None, report: Report) -> None:
    pair = compare(reference.frame, served.frame, row.model_version.input_schema)
    if pair.reference.columns.empty:
        raise EmptyWindowError(
            f"no input of {row.model_version} has a value on both sides: nothing to measure",
            not_measured=pair.not_measured[:50],
        )
    chosen = drift_settings(method)
    report(35, "measuring")
    verdict = measure_drift(pair, chosen)
    report(90, "writing the report")
    row.method = chosen.name
    row.rows_reference, row.rows_current = reference.rows, served.rows
    row.dataset_drift, row.drift_share = verdict.dataset_drift, verdict.drift_share
    row.columns = {name: {"score": c.score, "drifted": c.drifted} for name, c in verdict.columns.items()}
    measurable = (pair.names[label] for label in pair.reference.columns)
    row.not_measured = [*pair.not_measured, *(name for name in measurable if name not in verdict.columns)]
    row.html_path = write_report(str(row.run_id or uuid.uuid4()), verdict.html, verdict.json)


def _alert(row: DriftReport, run_id: UUID | None) -> None:
    if not row.dataset_drift:
        return
    moved = sorted(name for name, column in row.columns.items() if column["drifted"])
    model = row.model_version.model.name
    raise_alert(
        f"drift:{model}",
        f"{model}: served inputs have drifted from training",
        detail=f"{len(moved)} of {len(row.columns)} columns by {row.method}: {', '.join(moved)[:500]}",
        severity="warning",
        run_id=run_id,
    )
