"""Features that could not have been known: what came with the outcome, or counts outcomes before they were known."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from features.core.leakage import Finding
from features.core.leakage_target import MIN_ROWS, NEAR_PERFECT, spearman
from features.core.windows import ViewDefinition

# A column that is missing where the outcome is, and only there: the phi coefficient of the two.
COINCIDES = 0.95
MIN_UNKNOWN = 20

Bools = npt.NDArray[np.bool_]


def known_later(
    rows: pa.Table, columns: Sequence[Mapping[str, Any]], *, timestamp: str, known_at: str
) -> list[Finding]:
    """Find the labels' own features whose value arrives with the outcome.

    A dataset with a known-at column says that its rows are completed after they happen, and nothing about which
    columns were there from the start. Two things give one away: it is missing where the row is not yet known, and
    hardly anywhere else; or it says how long the row took to become known. A column that is overwritten later, or
    estimated first, leaves no trace and isn't found.

    Parameters
    ----------
    rows : pyarrow.Table
        All rows of the labels' dataset, those not known yet too.
    columns : sequence of mapping
        Name, dtype and role of its columns.
    timestamp, known_at : str
        When a row happened, and when it became known.

    Returns
    -------
    list of Finding
        `known_later:COLUMN`, in the order of the columns.
    """
    unknown = _missing(rows[known_at])
    lag = _lag(rows, timestamp, known_at)
    findings = []
    for column in columns:
        if column["role"] != "feature" or column["dtype"] == "timestamp":
            continue
        name = column["name"]
        values = rows[name]
        together = _phi(_missing(values), unknown)
        after = abs(spearman(_numbers(values), lag)) if column["dtype"] in ("integer", "number") else 0.0
        if together >= COINCIDES:
            text = f"it is missing where {known_at!r} is, and hardly elsewhere: it came with the outcome"
            evidence = {"measure": "phi", "score": round(together, 6), "limit": COINCIDES, "rows": rows.num_rows}
        elif after >= NEAR_PERFECT:
            text = f"it says how long the row took to become known ({known_at!r} less {timestamp!r})"
            evidence = {"measure": "Spearman", "score": round(after, 6), "limit": NEAR_PERFECT, "rows": rows.num_rows}
        else:
            continue
        findings.append(Finding(name=f"known_later:{name}", severity="stop", text=text, evidence=evidence))
    return findings


def outcomes_before_known(views: Sequence[ViewDefinition], *, target: str) -> list[Finding]:
    """Find the views of the labels' own dataset that use the target of earlier rows as if known at once.

    Parameters
    ----------
    views : sequence of ViewDefinition
        Views of the labels' dataset, which has no known-at column.
    target : str
        The column to predict.

    Returns
    -------
    list of Finding
        `target_without_known_at:VIEW`.
    """
    findings = []
    for view in views:
        using = [feature.name for feature in view.features if feature.column == target]
        if using:
            text = f"{', '.join(using)} count {target!r} as known the moment it happened: no column says when it was"
            evidence = {"features": using, "dataset": view.dataset}
            name = f"target_without_known_at:{view.name}"
            findings.append(Finding(name=name, severity="stop", text=text, evidence=evidence))
    return findings


def _missing(values: pa.ChunkedArray) -> Bools:
    missing: Bools = pc.is_null(values, nan_is_null=pa.types.is_floating(values.type)).to_numpy()
    return missing


def _numbers(values: pa.ChunkedArray) -> npt.NDArray[np.float64]:
    numbers: npt.NDArray[np.float64] = values.cast(pa.float64(), safe=False).to_numpy()
    return numbers


def _lag(rows: pa.Table, timestamp: str, known_at: str) -> npt.NDArray[np.float64]:
    """Return seconds from happening to being known; nothing where it is hardly ever another, or few are known."""
    took = pc.subtract(rows[known_at].cast(pa.int64()), rows[timestamp].cast(pa.int64()))
    seconds = _numbers(took) / 1e6
    known = seconds[~np.isnan(seconds)]
    varied = len(known) >= MIN_ROWS and len(np.unique(known)) >= MIN_UNKNOWN
    return seconds if varied else np.full(rows.num_rows, np.nan)


def _phi(left: Bools, right: Bools) -> float:
    n, both = len(right), int((left & right).sum())
    a, b = int(left.sum()), int(right.sum())
    if b < MIN_UNKNOWN or n - b < MIN_UNKNOWN:
        return 0.0
    scale = np.sqrt(float(a) * (n - a) * b * (n - b))
    return float((both * n - a * b) / scale) if scale else 0.0
