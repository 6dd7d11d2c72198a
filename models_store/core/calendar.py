"""When what serves may change: windows that are open and freezes that hold."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from models_store.core.lifecycle import CANARY, PRODUCTION
from models_store.errors import OutsideWindowError, PromotionFrozenError

HELD = (PRODUCTION, CANARY)
"""Stages the calendar holds: those that answer callers."""

MAX_STEPS = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """A part of some weekdays; minutes since midnight, the end left out."""

    days: tuple[int, ...]
    start: int
    end: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Freeze:
    """A time in which nothing changes, the end left out."""

    start: datetime
    end: datetime
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Calendar:
    """When a policy lets a promotion be applied.

    Attributes
    ----------
    windows : tuple of Window
        Open times; always open if there is none.
    freezes : tuple of Freeze
        Times that are closed whatever the windows say.
    timezone : str
        In which the windows are meant.
    """

    windows: tuple[Window, ...] = ()
    freezes: tuple[Freeze, ...] = ()
    timezone: str = "UTC"
    zone: ZoneInfo = field(default=ZoneInfo("UTC"), compare=False)

    def freeze_at(self, at: datetime) -> Freeze | None:
        """Return the freeze that holds at a time.

        Parameters
        ----------
        at : datetime
            The time, aware.

        Returns
        -------
        Freeze or None
            The one that ends last, if there are several.
        """
        held = [freeze for freeze in self.freezes if freeze.start <= at < freeze.end]
        return max(held, key=lambda freeze: freeze.end, default=None)

    def is_open(self, at: datetime) -> bool:
        """Tell whether a promotion may be applied at a time.

        Parameters
        ----------
        at : datetime
            The time, aware.

        Returns
        -------
        bool
            True inside a window and outside every freeze.
        """
        return self.freeze_at(at) is None and self._in_window(at)

    def next_open(self, at: datetime) -> datetime | None:
        """Return the first time from `at` on at which a promotion may be applied.

        Parameters
        ----------
        at : datetime
            The time, aware.

        Returns
        -------
        datetime or None
            In UTC; None if the freezes leave no such time.
        """
        for _ in range(MAX_STEPS):
            if freeze := self.freeze_at(at):
                at = freeze.end
            elif self._in_window(at):
                return at.astimezone(UTC)
            else:
                at = self._next_start(at)
        return None

    def check_freeze(self, at: datetime) -> None:
        """Refuse a time that a freeze holds.

        Parameters
        ----------
        at : datetime
            The time, aware.

        Raises
        ------
        PromotionFrozenError
            In a freeze.
        """
        if freeze := self.freeze_at(at):
            raise PromotionFrozenError(
                f"promotions are frozen until {freeze.end:%Y-%m-%d %H:%M %Z} ({freeze.reason}); "
                "ask for a time after that with not_before, or roll back, which is never frozen",
                until=freeze.end.isoformat(),
                reason=freeze.reason,
            )

    def check(self, at: datetime) -> None:
        """Refuse a time at which nothing may change.

        Parameters
        ----------
        at : datetime
            The time, aware.

        Raises
        ------
        PromotionFrozenError
            In a freeze.
        OutsideWindowError
            Outside every window.
        """
        self.check_freeze(at)
        if not self._in_window(at):
            opens = self.next_open(at)
            said = f"the next one opens at {opens:%Y-%m-%d %H:%M} UTC" if opens else "none opens in sight"
            raise OutsideWindowError(
                f"promotions are applied in the policy's windows, and {said}; ask for a time with not_before",
                opens=opens and opens.isoformat(),
            )

    def _in_window(self, at: datetime) -> bool:
        there = at.astimezone(self.zone)
        minute = there.hour * 60 + there.minute
        inside = (w for w in self.windows if there.weekday() in w.days and w.start <= minute < w.end)
        return not self.windows or any(inside)

    def _next_start(self, at: datetime) -> datetime:
        there = at.astimezone(self.zone)
        midnight = there.replace(hour=0, minute=0, second=0, microsecond=0)
        days = (midnight + timedelta(days=offset) for offset in range(9))
        starts = [
            day.replace(hour=window.start // 60, minute=window.start % 60)
            for day in days
            for window in self.windows
            if day.weekday() in window.days
        ]
        # In UTC: within one zone, Python compares the clocks on the wall.
        return min(start.astimezone(UTC) for start in starts if start.astimezone(UTC) > at)
