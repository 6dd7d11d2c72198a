"""The days of the prediction log on PostgreSQL: one partition each, and one for rows of days that have none."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from django.db import connection

from predictions.models import Prediction

TABLE = Prediction._meta.db_table
REST = f"{TABLE}_rest"
_NAME = re.compile(rf"{TABLE}_(\d{{8}})")
# How long a change of the partitions may keep those waiting who write predictions; they spool meanwhile.
LOCK_TIMEOUT = "2s"


@dataclass(frozen=True, kw_only=True, slots=True)
class DayPartition:
    """The partition of one day, UTC."""

    name: str
    day: date

    @property
    def start(self) -> datetime:
        """Return the first moment it holds."""
        return datetime(self.day.year, self.day.month, self.day.day, tzinfo=UTC)

    @property
    def end(self) -> datetime:
        """Return the first moment it does not hold any more."""
        return self.start + timedelta(days=1)


def is_partitioned() -> bool:
    """Tell whether the log has partitions: on PostgreSQL alone."""
    return connection.vendor == "postgresql"


def partition_of(day: date) -> DayPartition:
    """Return what the partition of a day is or would be called."""
    return DayPartition(name=f"{TABLE}_{day:%Y%m%d}", day=day)


def day_partitions() -> list[DayPartition]:
    """Return the partitions of days, the oldest first."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::regclass", [TABLE])
        names = sorted(name for (name,) in cursor.fetchall() if _NAME.fullmatch(name))
    return [partition_of(datetime.strptime(name[-8:], "%Y%m%d").replace(tzinfo=UTC).date()) for name in names]


def size_of(partition: DayPartition) -> tuple[int, int]:
    """Return how many rows a partition has, and its bytes with its indexes."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*), pg_total_relation_size(%s::regclass) FROM {partition.name}", [partition.name])  # noqa: S608 (a name we made)
        rows, size = cursor.fetchone()
    return int(rows), int(size)


def lock_partitions() -> None:
    """Be the only one who changes the partitions, to the end of the transaction."""
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [TABLE])


def has_strays(partition: DayPartition) -> bool:
    """Tell whether rows of a day lie in the partition of the rest: then it can't get one of its own."""
    with connection.cursor() as cursor:
        span = [partition.start, partition.end]
        cursor.execute(f"SELECT EXISTS (SELECT 1 FROM {REST} WHERE at >= %s AND at < %s)", span)  # noqa: S608 (a name we made)
        return bool(cursor.fetchone()[0])


def add_partition(partition: DayPartition) -> None:
    """Make a day's partition; inside the transaction of `lock_partitions`."""
    # Made beside the table and then attached: that keeps nobody from reading and writing the other days.
    _execute(
        f"CREATE TABLE {partition.name} (LIKE {TABLE} INCLUDING ALL)",
        f"ALTER TABLE {TABLE} ATTACH PARTITION {partition.name} "
        f"FOR VALUES FROM ('{partition.start.isoformat()}') TO ('{partition.end.isoformat()}')",
    )


def drop_partition(partition: DayPartition) -> None:
    """Remove a day's partition with its rows; inside the transaction of `lock_partitions`.

    The database refuses it while an outcome refers to one of the rows.
    """
    _execute(f"ALTER TABLE {TABLE} DETACH PARTITION {partition.name}", f"DROP TABLE {partition.name}")


def days_ahead(now: datetime, count: int) -> Iterator[DayPartition]:
    """Yield the partitions of a day and of so many after it."""
    today = now.astimezone(UTC).date()
    return (partition_of(today + timedelta(days=n)) for n in range(count + 1))


def _execute(*statements: str) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
