"""What a console page is made of: panels, each with its template."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

COLOURS = (
    "var(--color-primary-600)",
    "var(--color-orange-500)",
    "var(--color-green-600)",
    "var(--color-blue-500)",
)
GREY = "#9ca3af"
MOST_UNFOLDED = 12


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One card of a page; `wide` lets it take the whole row."""

    template: ClassVar[str] = ""
    title: str
    note: str = ""
    wide: bool = False


@dataclass(frozen=True, kw_only=True)
class Facts(Panel):
    """Names and values; a value may hold safe HTML."""

    template: ClassVar[str] = "console/facts.html"
    pairs: Sequence[tuple[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Figures(Panel):
    """Large numbers side by side: label, value, what it means, link or ''."""

    template: ClassVar[str] = "console/figures.html"
    figures: Sequence[tuple[str, Any, Any, str]]


@dataclass(frozen=True, kw_only=True)
class Table(Panel):
    """Rows of cells; a cell may hold safe HTML. `empty` is said where there are no rows; many can be folded away."""

    template: ClassVar[str] = "console/table.html"
    headers: Sequence[str]
    rows: Sequence[Sequence[Any]]
    empty: str = "Nothing yet."
    foldable: bool = False

    @property
    def is_folded(self) -> bool:
        """Tell whether the rows are shown when they are asked for."""
        return self.foldable and len(self.rows) > MOST_UNFOLDED


@dataclass(frozen=True, kw_only=True)
class Code(Panel):
    """Text to be read or copied as it is."""

    template: ClassVar[str] = "console/code.html"
    text: str


@dataclass(frozen=True, kw_only=True)
class Frame(Panel):
    """A page of its own, shown in a sandbox that may run scripts and nothing else."""

    template: ClassVar[str] = "console/frame.html"
    url: str


@dataclass(frozen=True, kw_only=True)
class Chart(Panel):
    """Series over labels, drawn by Chart.js; `summary` says the same in words.

    `series` maps a name to values; None leaves a gap. `bounds` fixes the y axis.
    """

    template: ClassVar[str] = "console/chart.html"
    labels: Sequence[Any]
    series: Mapping[str, Sequence[float | None]]
    kind: str = "line"
    x_title: str = ""
    y_title: str = ""
    summary: str = ""
    bounds: tuple[float, float] | None = None
    dashed: Sequence[str] = field(default_factory=tuple)

    @property
    def is_empty(self) -> bool:
        """Tell whether there is nothing to draw."""
        return not any(value for values in self.series.values() for value in values)

    @property
    def data(self) -> str:
        """Return labels and series as Chart.js takes them."""
        sets = [
            self._series(name, values, COLOURS[at % len(COLOURS)])
            for at, (name, values) in enumerate(self.series.items())
        ]
        return json.dumps({"labels": list(self.labels), "datasets": sets})

    def _series(self, name: str, values: Sequence[float | None], colour: str) -> dict[str, Any]:
        line = {"tension": 0.25, "borderWidth": 2, "pointRadius": 2, "spanGaps": True}
        dashes = (
            {"borderDash": [6, 5], "borderColor": GREY, "backgroundColor": GREY, "pointRadius": 0}
            if name in self.dashed
            else {}
        )
        bar = {"borderRadius": 3, "maxBarThickness": 22}
        shape = bar if self.kind == "bar" else line
        return {
            "label": name,
            "data": list(values),
            "borderColor": colour,
            "backgroundColor": colour,
            **shape,
            **dashes,
        }

    @property
    def options(self) -> str:
        """Return axes and legend as Chart.js takes them."""
        limits = {} if self.bounds is None else {"min": self.bounds[0], "max": self.bounds[1]}
        return json.dumps(
            {
                "animation": False,
                "responsive": True,
                "maintainAspectRatio": False,
                "interaction": {"mode": "index", "intersect": False},
                "plugins": {"legend": _legend(len(self.series) > 1)},
                "scales": {
                    "x": {
                        "title": _title(self.x_title),
                        "ticks": _ticks(26, 50) if self.kind == "bar" else _ticks(12),
                        "grid": {"display": False},
                    },
                    "y": {"beginAtZero": True, "title": _title(self.y_title), "ticks": _ticks(6), "grid": {}, **limits},
                },
            }
        )


def _title(text: str) -> dict[str, Any]:
    return {"display": bool(text), "text": text, "color": GREY}


def _ticks(most: int, rotation: int = 0) -> dict[str, Any]:
    return {"color": GREY, "maxTicksLimit": most, "maxRotation": rotation, "autoSkip": True}


def _legend(shown: bool) -> dict[str, Any]:
    labels = {"boxHeight": 6, "boxWidth": 6, "usePointStyle": True, "color": GREY}
    return {"display": shown, "align": "end", "labels": labels}
