"""How old a view's online values are, drawn against the time after which they expire."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from django.utils import timezone

from features.ground.console import ago
from features.ground.panels import Panel
from features.models import FeatureView

LEFT, RIGHT, ROW = 110, 500, 22
# What is a moment ago still has some width before it.
LEAST = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """A moment in its row of the drawing."""

    name: str
    x: float
    y: int
    words: str
    expired: bool


@dataclass(frozen=True, kw_only=True)
class Freshness(Panel):
    """Moments from the oldest to now; what lies left of `limit` is expired."""

    template: ClassVar[str] = "console/freshness.html"
    marks: Sequence[Mark]
    limit: float
    limit_words: str
    left: int = LEFT
    right: int = RIGHT
    middle: int = (LEFT + RIGHT) // 2
    height: int = 0
    empty: str = "No values are served yet."


def freshness_drawing(obj: FeatureView, limit_words: str) -> Freshness:
    """Draw when the newest event was, what moment the values are of, and when they were made."""
    live, now = obj.live_snapshot, timezone.now()
    title = "Freshness"
    if live is None:
        return Freshness(title=title, wide=True, marks=(), limit=LEFT, limit_words=limit_words)
    said = (("newest event", live.dataset_version.last_event_at), ("values of", live.as_of), ("made", live.created_at))
    moments = [(name, at) for name, at in said if at is not None]
    ttl = timedelta(seconds=obj.ttl_seconds) if obj.ttl_seconds else None
    oldest = max(LEAST, *(now - at for _, at in moments), *([ttl * 1.25] if ttl else []))
    marks = [
        Mark(
            name=name,
            x=_place(now - at, oldest),
            y=ROW * (row + 1),
            words=_words(at),
            expired=name == "newest event" and ttl is not None and now - at > ttl,
        )
        for row, (name, at) in enumerate(moments)
    ]
    limit = _place(ttl, oldest) if ttl else LEFT
    return Freshness(
        title=title, wide=True, marks=marks, limit=limit, limit_words=limit_words, height=ROW * (len(marks) + 2)
    )


def _place(age: timedelta, oldest: timedelta) -> float:
    share = min(max(age / oldest, 0.0), 1.0)
    return round(RIGHT - share * (RIGHT - LEFT), 1)


def _words(at: datetime) -> str:
    """Return how long ago it was, as a drawing holds it: text alone."""
    return str(ago(at)).partition(">")[2].partition("<")[0]
