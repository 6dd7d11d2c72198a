"""When a schedule was last due: pure functions of the time, so that every beat computes the same slot."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# A leap day that falls on one weekday comes back within 40 years; nobody asks for rarer.
MAX_DAYS = 366 * 40


@dataclass(frozen=True, kw_only=True, slots=True)
class Crontab:
    """The minutes at which something is due.

    Parameters
    ----------
    minutes, hours, weekdays, days, months : set of int
        As a crontab has them; weekday 0 is Sunday.
    """

    minutes: AbstractSet[int]
    hours: AbstractSet[int]
    weekdays: AbstractSet[int]
    days: AbstractSet[int]
    months: AbstractSet[int]


def last_interval_slot(now: datetime, every_s: float) -> datetime:
    """Return the newest multiple of an interval since 1970 that is not after `now`.

    Parameters
    ----------
    now : datetime
        Aware.
    every_s : float
        Length of the interval in seconds, positive.

    Returns
    -------
    datetime
        In UTC.
    """
    step = timedelta(seconds=every_s)
    return EPOCH + ((now - EPOCH) // step) * step


def last_crontab_slot(now: datetime, crontab: Crontab) -> datetime | None:
    """Return the newest minute a crontab names that is not after `now`.

    Parameters
    ----------
    now : datetime
        Aware, in the schedule's own time zone.
    crontab : Crontab
        The minutes.

    Returns
    -------
    datetime or None
        In the time zone of `now`; None if there is none within 40 years.
    """
    for back in range(MAX_DAYS):
        day = (now - timedelta(days=back)).date()
        named = day.month in crontab.months and day.day in crontab.days and day.isoweekday() % 7 in crontab.weekdays
        if not named:
            continue
        for hour in sorted(crontab.hours, reverse=True):
            for minute in sorted(crontab.minutes, reverse=True):
                slot = datetime(day.year, day.month, day.day, hour, minute, tzinfo=now.tzinfo)
                if slot <= now:
                    return slot
    return None
