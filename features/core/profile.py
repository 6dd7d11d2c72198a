"""What a column held in the rows of one version, and what has changed since another."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
BINS = 20
TOP = 10
# What is worth telling: a hundredth is noise, a quarter of a deviation is seen in a chart.
MISSING_POINTS = 0.02
MEAN_DEVIATIONS = 0.25
DISTINCT_FACTOR = 2.0
RANGE_SHARE = 0.1


@dataclass(frozen=True, kw_only=True, slots=True)
class ColumnSummary:
    """What a column held.

    Parameters
    ----------
    column, dtype : str
        Its name and dtype.
    rows, missing : int
        Rows, and those without a value.
    distinct : int or None
        Different values.
    minimum, maximum : str
        As text of at most 120 characters; empty where there is no value.
    mean, deviation : float or None
        Of numbers.
    quantiles : mapping of str to (float or str)
        Value by share of rows below it, for numbers and times.
    histogram : mapping
        edges and counts, or values, counts and other; `approximate` names what was estimated.
    """

    column: str
    dtype: str
    rows: int
    missing: int
    distinct: int | None = None
    minimum: str = ""
    maximum: str = ""
    mean: float | None = None
    deviation: float | None = None
    quantiles: Mapping[str, Any] = field(default_factory=dict)
    histogram: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class ProfileChange:
    """Something about a column that is not as it was.

    Parameters
    ----------
    column : str
        Its name.
    what : str
        new_column, gone_column, dtype, missing, distinct, range, mean, new_values or gone_values.
    before, after : str
        As it was, as it is.
    """

    column: str
    what: str
    before: str
    after: str

    def text(self) -> str:
        """Return it for a person."""
        return f"{self.column}: {self.what.replace('_', ' ')} {self.before or '–'} → {self.after or '–'}"


def profile_changes(before: Sequence[ColumnSummary], after: Sequence[ColumnSummary]) -> list[ProfileChange]:
    """Name what changed from one version's profile to another's.

    Parameters
    ----------
    before, after : sequence of ColumnSummary
        One for each column.

    Returns
    -------
    list of ProfileChange
        By column, in the order of `after`; columns that are gone come last.
    """
    old = {summary.column: summary for summary in before}
    new = {summary.column for summary in after}
    found: list[ProfileChange] = []
    for now in after:
        then = old.get(now.column)
        if then is None:
            found += [_change(now, "new_column", "", now.dtype)] if before else []
        elif then.dtype != now.dtype:
            found.append(_change(now, "dtype", then.dtype, now.dtype))
        else:
            found += _changes(then, now)
    return found + [_change(then, "gone_column", then.dtype, "") for then in before if then.column not in new]


def _change(summary: ColumnSummary, what: str, before: object, after: object) -> ProfileChange:
    return ProfileChange(column=summary.column, what=what, before=str(before), after=str(after))


def _changes(then: ColumnSummary, now: ColumnSummary) -> list[ProfileChange]:
    return [
        *_missing(then, now),
        *_distinct(then, now),
        *(_numbers(then, now) if now.dtype in ("integer", "number") else []),
        *_values(then, now),
    ]


def _share(summary: ColumnSummary) -> float:
    return summary.missing / max(summary.rows, 1)


def _missing(then: ColumnSummary, now: ColumnSummary) -> list[ProfileChange]:
    if abs(_share(now) - _share(then)) < MISSING_POINTS:
        return []
    return [_change(now, "missing", f"{_share(then):.1%}", f"{_share(now):.1%}")]


def _distinct(then: ColumnSummary, now: ColumnSummary) -> list[ProfileChange]:
    if not then.distinct or not now.distinct:
        return []
    # Where most values differ their number is that of the rows, and says nothing of its own.
    if all(one.distinct > (one.rows - one.missing) / 2 for one in (then, now) if one.distinct):
        return []
    factor = now.distinct / then.distinct
    if 1 / DISTINCT_FACTOR < factor < DISTINCT_FACTOR:
        return []
    return [_change(now, "distinct", then.distinct, now.distinct)]


def _numbers(then: ColumnSummary, now: ColumnSummary) -> list[ProfileChange]:
    if not (then.minimum and then.maximum and now.minimum and now.maximum):
        return []
    found = []
    low, high = float(then.minimum), float(then.maximum)
    slack = (high - low) * RANGE_SHARE
    if float(now.minimum) < low - slack or float(now.maximum) > high + slack:
        found.append(
            _change(now, "range", f"{then.minimum} to {then.maximum}", f"{now.minimum} to {now.maximum}"),
        )
    if then.mean is not None and now.mean is not None:
        moved = abs(now.mean - then.mean)
        if moved > MEAN_DEVIATIONS * (then.deviation or 0.0) and moved > 0:
            found.append(_change(now, "mean", f"{then.mean:.4g}", f"{now.mean:.4g}"))
    return found


def _values(then: ColumnSummary, now: ColumnSummary) -> list[ProfileChange]:
    complete = "values" in then.histogram and "values" in now.histogram
    if not complete or then.histogram.get("other") or now.histogram.get("other"):
        return []
    old, new = then.histogram["values"], now.histogram["values"]
    added, gone = [one for one in new if one not in old], [one for one in old if one not in new]
    found = [_change(now, "new_values", "", ", ".join(map(str, added)))] if added else []
    return found + ([_change(now, "gone_values", ", ".join(map(str, gone)), "")] if gone else [])
