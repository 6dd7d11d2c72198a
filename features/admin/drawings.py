"""Small drawings of a column: its histogram, and a number of it over the versions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from features.ground.console import number
from features.ground.errors import bounded
from features.models import ColumnProfile

VALUES = 6
WIDTH, HEIGHT, ROW = 240, 84, 14
LINE_WIDTH, LINE_HEIGHT = 96, 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """A bar of a histogram; a label makes it a row of its own."""

    x: float
    y: float
    width: float
    height: float
    title: str
    value: str = ""
    label: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Trend:
    """A number over the versions."""

    name: str
    points: str
    last: tuple[float, float] | None
    value: str
    changed: bool
    summary: str


def bars_of(histogram: Mapping[str, Any]) -> list[Bar]:
    """Return the bars of a stored histogram: upright for numbers and times, rows for values."""
    counts = [max(0, int(count)) for count in histogram.get("counts") or ()]
    if edges := histogram.get("edges"):
        return _upright(edges, counts)
    values = [bounded(str(value), 80) for value in histogram.get("values") or ()]
    return _rows(values, counts, int(histogram.get("other") or 0))


def _upright(edges: Sequence[Any], counts: Sequence[int]) -> list[Bar]:
    counts = counts[: len(edges) - 1]
    most, wide = max(counts, default=0) or 1, WIDTH / max(len(counts), 1)
    return [
        Bar(
            x=round(at * wide, 2),
            y=round(HEIGHT - _tall(count, most), 2),
            width=round(wide - min(1.5, wide / 4), 2),
            height=_tall(count, most),
            title=f"{_edge(edges[at])} to {_edge(edges[at + 1])}: {number(count)}",
        )
        for at, count in enumerate(counts)
    ]


def _tall(count: int, most: int) -> float:
    # A bin that isn't empty is seen, however small.
    return round(max(2.0, count / most * HEIGHT), 2) if count else 0.0


def _edge(edge: Any) -> str:
    return number(edge) if isinstance(edge, int | float) else str(edge)[:19].replace("T00:00:00", "").replace("T", " ")


def _rows(values: Sequence[str], counts: Sequence[int], other: int) -> list[Bar]:
    pairs = list(zip(values, counts, strict=False))
    kept = pairs[:VALUES] if len(pairs) <= VALUES and not other else pairs[: VALUES - 1]
    rest = other + sum(count for _, count in pairs[len(kept) :])
    kept += [("other", rest)] if rest else []
    total, most = max(sum(count for _, count in kept), 1), max((count for _, count in kept), default=0) or 1
    return [
        Bar(
            x=104,
            y=at * ROW,
            width=round(max(2.0, count / most * (WIDTH - 104 - 40)), 2),
            height=ROW - 4,
            title=f"{value}: {number(count)}",
            value=bounded(value, 15),
            label=f"{count / total:.0%}",
        )
        for at, (value, count) in enumerate(kept)
    ]


def trend(name: str, past: Sequence[ColumnProfile], changed: bool) -> Trend | None:
    """Return a number's line over the versions; None where a column has no such number."""
    values = [(profile.dataset_version.number, _measured(name, profile)) for profile in past]
    known = [(version, value) for version, value in values if value is not None]
    if not known:
        return None
    low, high = min(value for _, value in known), max(value for _, value in known)
    first, last = values[0][0], values[-1][0]
    span, tall = max(last - first, 1), (high - low) or 1.0
    places = [
        (3 + (LINE_WIDTH - 6) * (version - first) / span, LINE_HEIGHT - 3 - (LINE_HEIGHT - 6) * (value - low) / tall)
        for version, value in known
    ]
    said = [f"version {version}: {_said(name, value)}" for version, value in known]
    return Trend(
        name=name,
        points=" ".join(f"{x:.1f},{y:.1f}" for x, y in places) if len(places) > 1 else "",
        last=places[-1],
        value=_said(name, known[-1][1]),
        changed=changed,
        summary="; ".join(said),
    )


def _measured(name: str, profile: ColumnProfile) -> float | None:
    if name == "missing":
        return profile.missing / max(profile.rows, 1)
    return profile.distinct if name == "distinct" else profile.mean


def _said(name: str, value: float) -> str:
    return f"{value:.1%}" if name == "missing" else number(value)
