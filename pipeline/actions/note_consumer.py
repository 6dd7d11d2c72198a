"""Say how a consumer of a stream is, so that health can tell."""

import logging
from datetime import datetime

from django.db import DatabaseError, transaction
from django.utils import timezone

from features.ground.errors import bounded
from pipeline.models import StreamConsumer

logger = logging.getLogger(__name__)


def begin_consumer(name: str, *, model: str, worker: str) -> None:
    """Say that a consumer runs from now on, in the place of any earlier one of its name.

    Parameters
    ----------
    name : str
        Its group and slot, or its file.
    model : str
        Whom it asks, as MODEL or MODEL@N.
    worker : str
        Its process, as host:pid.
    """
    now = timezone.now()
    fresh = {"lag": None, "committed": 0, "error": "", "heartbeat_at": now, "started_at": now}
    with transaction.atomic(durable=True):
        StreamConsumer.objects.update_or_create(
            name=name,
            defaults={"model": model, "worker": worker, "state": StreamConsumer.State.RUNNING, **fresh},
        )


def beat_consumer(name: str, *, worker: str, lag: int | None, committed: int) -> None:
    """Say that a consumer still runs, and how far behind it is.

    Parameters
    ----------
    name, worker : str
        As it began; if another process has taken its place, nothing is said.
    lag : int, optional
        Messages that wait; None if that is not known.
    committed : int
        Messages answered since it began.
    """
    _say(name, worker, lag=lag, committed=committed, heartbeat_at=timezone.now())


def end_consumer(name: str, *, worker: str, error: str = "") -> None:
    """Say that a consumer has ended.

    Parameters
    ----------
    name, worker : str
        As it began; if another process has taken its place, nothing is said.
    error : str
        What ended it; empty if it was told to stop.
    """
    state = StreamConsumer.State.FAILED if error else StreamConsumer.State.STOPPED
    _say(name, worker, state=state, error=bounded(error, 300), heartbeat_at=timezone.now())


def _say(name: str, worker: str, **changes: str | int | datetime | None) -> None:
    try:
        with transaction.atomic(durable=True):
            StreamConsumer.objects.filter(name=name, worker=worker).update(**changes)
    except DatabaseError as error:
        # Health finds it silent; the stream's own writes meet the same and decide what becomes of it.
        logger.warning("the state of consumer %s can't be recorded: %s", name, error)
