"""Remove predictions past their days."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, OperationalError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from features.ground.audit import record_audit
from predictions.adapters import partitions
from predictions.models import Outcome, Prediction, StreamPosition

BATCH = 2000
# Outcomes may be reported while a day goes, and others hold its table for longer than one waits.
TRIES = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Forgotten:
    """Predictions that went, or would go.

    Parameters
    ----------
    name : str
        The partition that went whole, or `rows`.
    rows : int
        How many.
    bytes : int
        What a partition takes, with its indexes; 0 for rows.
    """

    name: str
    rows: int
    bytes: int = 0


def forget_predictions(*, actor: str, dry_run: bool = False, now: datetime | None = None) -> tuple[Forgotten, ...]:
    """Remove predictions older than `prediction_log.keep_days`, with their outcomes; none where that is 0.

    On PostgreSQL a day (UTC) goes whole, with its partition, once all of it is too old.

    Parameters
    ----------
    actor : str
        Who asks.
    dry_run : bool
        Count them and remove nothing.
    now : datetime, optional
        When age is counted from; by default the present.

    Returns
    -------
    tuple of Forgotten
        What went, or would go.
    """
    days = settings.CONFIG.prediction_log.keep_days
    if not days:
        return ()
    before = (now or timezone.now()) - timedelta(days=days)
    if partitions.is_partitioned():
        before = before.replace(hour=0, minute=0, second=0, microsecond=0)
    gone = tuple(_forgotten(before, dry_run))
    if gone and not dry_run:
        with transaction.atomic(durable=True):
            after = {"before": before.isoformat(), "predictions": [asdict(part) for part in gone]}
            record_audit(
                actor=actor, action="predictions.prune", object_type="prediction", object_id="all", after=after
            )
    return gone


def _forgotten(before: datetime, dry_run: bool) -> Iterator[Forgotten]:
    days = partitions.day_partitions() if partitions.is_partitioned() else []
    if not dry_run:
        # First: a message that comes again now is predicted anew, and not taken for one that is in the log.
        _empty(StreamPosition.objects.filter(at__lt=before))
    for day in (day for day in days if day.end <= before):
        rows, size = partitions.size_of(day)
        if not dry_run:
            _drop(day)
        yield Forgotten(name=day.name, rows=rows, bytes=size)
    # Those that have no partition of their day; all of them on SQLite.
    old = Prediction.objects.filter(at__lt=before)
    for day in (day for day in days if dry_run and day.end <= before):
        old = old.exclude(at__gte=day.start, at__lt=day.end)
    if rows := old.count() if dry_run else _delete(before):
        yield Forgotten(name="rows", rows=rows)


def _drop(day: partitions.DayPartition) -> None:
    for attempt in range(1, TRIES + 1):
        _empty(Outcome.objects.filter(prediction__at__gte=day.start, prediction__at__lt=day.end))
        try:
            with transaction.atomic(durable=True):
                partitions.lock_partitions()
                partitions.drop_partition(day)
        except (IntegrityError, OperationalError):
            if attempt == TRIES:
                raise
        else:
            return


def _delete(before: datetime) -> int:
    gone = 0
    old = Prediction.objects.filter(at__lt=before).order_by()
    # A batch a transaction: whoever writes predictions waits for one of them at most.
    while keys := list(old.values_list("pk", flat=True)[:BATCH]):
        with transaction.atomic(durable=True):
            Outcome.objects.filter(prediction__in=keys).delete()
            gone += Prediction.objects.filter(pk__in=keys, at__lt=before).delete()[0]
    return gone


def _empty(rows: QuerySet[Any]) -> None:
    while keys := list(rows.order_by().values_list("pk", flat=True)[:BATCH]):
        with transaction.atomic(durable=True):
            rows.filter(pk__in=keys).delete()
