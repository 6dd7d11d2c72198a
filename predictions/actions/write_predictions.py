"""Store logged answers."""

from collections.abc import Sequence

from django.db import transaction

from predictions.core.answer import LogEntry
from predictions.models import Prediction


def write_predictions(entries: Sequence[LogEntry]) -> int:
    """Store a batch of answers in one transaction.

    Parameters
    ----------
    entries : sequence of LogEntry
        Answers with the ids they were given when they were made; one that is stored already is left as it is.

    Returns
    -------
    int
        How many were handed to the database.
    """
    rows = [
        Prediction(
            id=entry.id,
            request_id=entry.request_id,
            model_version_id=entry.version_id,
            generation=entry.generation,
            role=entry.role,
            principal=entry.principal,
            entity_keys=list(entry.entity_keys),
            columns=list(entry.frame),
            inputs=entry.inputs(),
            outputs=entry.outputs(),
            rows=entry.rows,
            latency_ms=entry.latency_ms,
            at=entry.at,
            source=entry.source,
        )
        for entry in entries
    ]
    with transaction.atomic(durable=True):
        # A batch may come again when the answer to its commit was lost.
        Prediction.objects.bulk_create(rows, batch_size=500, ignore_conflicts=True)
    return len(rows)
