"""See to it that the days to come have partitions in the prediction log."""

import logging
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from predictions.adapters import partitions

logger = logging.getLogger(__name__)
# A week in which no worker runs; after that rows go to the partition of the rest, and none is lost.
AHEAD_DAYS = 7


def keep_partitions(*, now: datetime | None = None) -> tuple[str, ...]:
    """Make the partitions of today and the next days; nothing to do where the log has none, on SQLite.

    Parameters
    ----------
    now : datetime, optional
        When today is; by default the present.

    Returns
    -------
    tuple of str
        The partitions that were made. A day that has rows in the partition of the rest gets none: they stay there.
    """
    if not partitions.is_partitioned():
        return ()
    wanted = list(partitions.days_ahead(now or timezone.now(), AHEAD_DAYS))
    if set(wanted) <= set(partitions.day_partitions()):
        return ()
    made = []
    with transaction.atomic(durable=True):
        partitions.lock_partitions()
        for partition in (day for day in wanted if day not in partitions.day_partitions()):
            if partitions.has_strays(partition):
                logger.warning("%s is not made: rows of that day lie in %s", partition.name, partitions.REST)
                continue
            partitions.add_partition(partition)
            made.append(partition.name)
    return tuple(made)
