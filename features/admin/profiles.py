"""What each column of a dataset's newest version held, drawn, beside what it held in the versions before."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from features.admin.drawings import HEIGHT, LINE_HEIGHT, LINE_WIDTH, WIDTH, Bar, Trend, bars_of, trend
from features.core.profile import ColumnSummary, ProfileChange, profile_changes
from features.ground.console import number
from features.ground.errors import bounded
from features.ground.panels import Panel, Table
from features.models import ColumnProfile, Dataset, DatasetVersion

# Columns of a page, and versions of a line.
COLUMNS = 24
VERSIONS = 20
DEEP = ("histogram", "quantiles")
TRENDS = ("missing", "distinct", "mean")


@dataclass(frozen=True, kw_only=True, slots=True)
class Card:
    """One column."""

    name: str
    dtype: str
    bars: Sequence[Bar]
    summary: str
    facts: Sequence[tuple[str, str]]
    trends: Sequence[Trend]
    changes: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Profiles(Panel):
    """A grid of columns."""

    template: ClassVar[str] = "console/profiles.html"
    cards: Sequence[Card]
    pages: Sequence[tuple[str, str, bool]] = ()
    width: int = WIDTH
    height: int = HEIGHT
    line_width: int = LINE_WIDTH
    line_height: int = LINE_HEIGHT
    empty: str = "No version has a profile yet: the next ingestion makes one."


def profile_panels(dataset: Dataset, page: int) -> list[Panel]:
    """Return what changed since the version before, and a page of the columns."""
    profiled = dataset.versions.filter(profiles__isnull=False).distinct().order_by("-number")
    versions = list(profiled[:VERSIONS])
    if not versions:
        return [Profiles(title="Profile", wide=True, cards=())]
    newest, before = versions[0], versions[1] if len(versions) > 1 else None
    changes = changes_since(newest, before)
    since = f"since version {before.number}" if before else ""
    panels: list[Panel] = [changes_table(changes, since)] if before else []
    return [*panels, _grid(versions, changes, page)]


def _grid(versions: Sequence[DatasetVersion], changes: Sequence[ProfileChange], page: int) -> Profiles:
    newest = versions[0]
    total = newest.profiles.count()
    page = max(0, min(page, (total - 1) // COLUMNS))
    shown = list(newest.profiles.order_by("position")[page * COLUMNS : (page + 1) * COLUMNS])
    past = ColumnProfile.objects.filter(dataset_version__in=versions, column__in=[profile.column for profile in shown])
    by_column: dict[str, list[ColumnProfile]] = {}
    for profile in past.select_related("dataset_version").defer(*DEEP).order_by("dataset_version__number"):
        by_column.setdefault(profile.column, []).append(profile)
    cards = [card(profile, by_column[profile.column], changes) for profile in shown]
    pages = [
        (f"{first + 1}–{min(first + COLUMNS, total)}", f"?columns={at}", at == page)
        for at, first in enumerate(range(0, total, COLUMNS))
    ]
    rows = number(newest.rows_valid)
    lines = f"; lines go over the last {len(versions)} versions" if len(versions) > 1 else ""
    note = f"{rows} rows of version {newest.number}{lines}."
    return Profiles(title="Profile", note=note, wide=True, cards=cards, pages=pages if len(pages) > 1 else ())


def changes_since(newest: DatasetVersion, before: DatasetVersion | None) -> list[ProfileChange]:
    """Return what changed from one version to another, nothing where there is only one."""
    return profile_changes(_summaries(before), _summaries(newest)) if before else []


def _summaries(version: DatasetVersion) -> list[ColumnSummary]:
    names = ColumnSummary.__dataclass_fields__
    return [
        ColumnSummary(**{name: getattr(profile, name) for name in names})
        for profile in version.profiles.order_by("position")
    ]


def changes_table(changes: Sequence[ProfileChange], since: str) -> Table:
    """Return what changed, in words."""
    rows = [
        (change.column, change.what.replace("_", " "), change.before or "–", change.after or "–") for change in changes
    ]
    note = f"{len(rows) - 50} more are not shown." if len(rows) > 50 else ""
    headers = ("Column", "What", "Before", "Now")
    empty = "Nothing worth telling: each column holds what it held before."
    return Table(title=f"Changed {since}", note=note, headers=headers, rows=rows[:50], empty=empty, wide=True)


def card(profile: ColumnProfile, past: Sequence[ColumnProfile], changes: Sequence[ProfileChange]) -> Card:
    """Return one column's card; `past` goes from the oldest version to this one."""
    own = [change for change in changes if change.column == profile.column]
    changed = {change.what for change in own}
    bars = bars_of(profile.histogram)
    distinct = number(profile.distinct)
    approximate = "≈ " if "distinct" in (profile.histogram.get("approximate") or ()) else ""
    return Card(
        name=profile.column,
        dtype=profile.dtype,
        bars=bars,
        summary="; ".join(bar.title for bar in bars) or "nothing to draw",
        facts=[
            ("Missing", share(profile)),
            ("Distinct", f"{approximate}{distinct}"),
            ("Min", end(profile.minimum, profile.dtype)),
            ("Max", end(profile.maximum, profile.dtype)),
        ],
        trends=[line for name in TRENDS if (line := trend(name, past, name in changed)) is not None],
        changes=[in_words(change) for change in own],
    )


def in_words(change: ProfileChange) -> str:
    """Return a change of a column for a person who sees which column it is."""
    what = change.what.replace("_", " ")
    if change.before and change.after:
        return f"{what}: {change.before} → {change.after}"
    return f"{what}: {change.after or change.before}"


def end(text: str, dtype: str) -> str:
    """Return the least or greatest value as a card has room for it."""
    if dtype == "timestamp":
        return text[:16].replace("T", " ") or "–"
    return bounded(text, 24) or "–"


def share(profile: ColumnProfile) -> str:
    """Return the share of rows without a value."""
    part = profile.missing / max(profile.rows, 1)
    return "none" if not profile.missing else "< 0.1 %" if part < 0.001 else f"{part:.1%}"
