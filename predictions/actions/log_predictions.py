"""Hand answers to the prediction log."""

from collections.abc import Iterator, Sequence
from contextlib import suppress

import numpy as np
from django.conf import settings

from predictions import metrics
from predictions.actions.write_predictions import write_predictions
from predictions.adapters.log_buffer import Entry, LogBuffer
from predictions.adapters.log_link import NoWriterError, WorkerEnd
from predictions.core.inputs import Columns
from predictions.core.log_row import LogRow
from predictions.core.number_frame import NumberFrame

_through: list[WorkerEnd] = []


def write_through(writer: WorkerEnd | None) -> None:
    """Have the log writer of this web server store what this process answers.

    Parameters
    ----------
    writer : WorkerEnd, optional
        The way there; where it leads nowhere, and with None, this process writes itself.
    """
    _through[:] = [writer] if writer else []


def _write(entries: Sequence[Entry]) -> int:
    return _write_rows([entry.row() for entry in entries])


def _write_rows(rows: Sequence[LogRow]) -> int:
    patience_s = settings.CONFIG.prediction_log.write_timeout_s
    for writer in _through:
        # What became of rows that were sent is not known then; written again they stay what they are.
        with suppress(NoWriterError):
            return writer.write(rows, patience_s)
    return write_predictions(rows, patience_s=patience_s)


def _show_means(entries: Sequence[Entry]) -> None:
    """Set the feature means of the models of the last batch; a model's newest version decides which features."""
    frames: dict[str, list[Columns]] = {}
    for entry in entries:
        if entry.role != "shadow":
            frames.setdefault(entry.model, []).append(entry.frame)
    for model, parts in frames.items():
        for name, mean in _means(parts):
            metrics.feature_mean(model, name).set(mean)


def _means(parts: list[Columns]) -> Iterator[tuple[str, float]]:
    """Yield the numeric columns that have values, and the mean of these."""
    layout = parts[-1].layout if isinstance(parts[-1], NumberFrame) else None
    matrices = [part.matrix for part in parts if isinstance(part, NumberFrame) and part.layout is layout]
    if layout is not None and len(matrices) == len(parts):
        whole = np.concatenate(matrices)
        known = ~np.isnan(whole)
        sums, counts = np.where(known, whole, 0.0).sum(axis=0).tolist(), known.sum(axis=0).tolist()
        yield from ((name, sums[at] / counts[at]) for name, at in layout.places.items() if counts[at])
        return
    for name in parts[-1]:
        columns = [part[name] for part in parts if name in part]
        if all(column.dtype.kind == "f" for column in columns):
            values = np.concatenate(columns)
            if not np.isnan(values).all():
                yield name, float(np.nanmean(values))


log = LogBuffer(_write, _write_rows, _show_means)


def flush_log() -> None:
    """Write what this process has not written yet.

    Raises
    ------
    django.db.Error
        If the database is away; nothing is lost then.
    """
    log.flush()
