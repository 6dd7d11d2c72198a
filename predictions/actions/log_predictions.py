"""Hand answers to the prediction log."""

from collections.abc import Sequence

import numpy as np
from django.conf import settings

from predictions import metrics
from predictions.actions.write_predictions import write_predictions
from predictions.adapters.log_buffer import LogBuffer
from predictions.core.inputs import Columns
from predictions.core.log_entry import LogEntry
from predictions.core.log_row import LogRow
from predictions.core.number_frame import NumberFrame


def _write(entries: Sequence[LogEntry]) -> int:
    written = _write_rows([entry.row() for entry in entries])
    _show_means(entries)
    return written


def _write_rows(rows: Sequence[LogRow]) -> int:
    return write_predictions(rows, patience_s=settings.CONFIG.prediction_log.write_timeout_s)


def _show_means(entries: Sequence[LogEntry]) -> None:
    """Set the feature means of the models of a batch; a model's newest version decides which features."""
    frames: dict[str, list[Columns]] = {}
    for entry in entries:
        if entry.role != "shadow":
            frames.setdefault(entry.model, []).append(entry.frame)
    for model, parts in frames.items():
        parts = _joined(parts)
        for name in parts[-1]:
            columns = [part[name] for part in parts if name in part]
            if all(column.dtype.kind == "f" for column in columns):
                values = np.concatenate(columns)
                if not np.isnan(values).all():
                    metrics.feature_mean_value.labels(model, name).set(float(np.nanmean(values)))


def _joined(parts: list[Columns]) -> list[Columns]:
    """Put the matrices of one version together, so that its columns are looked at once and not for each answer."""
    layout = parts[-1].layout if isinstance(parts[-1], NumberFrame) else None
    matrices = [part.matrix for part in parts if isinstance(part, NumberFrame) and part.layout is layout]
    if layout is None or len(matrices) < len(parts):
        return parts
    return [NumberFrame(layout, np.concatenate(matrices))]


log = LogBuffer(_write, _write_rows)


def flush_log() -> None:
    """Write what this process has not written yet.

    Raises
    ------
    django.db.Error
        If the database is away; nothing is lost then.
    """
    log.flush()
