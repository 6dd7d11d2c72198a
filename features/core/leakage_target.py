"""Features that know the target: one column that tells the answer all but perfectly.

Each column is asked alone. A label of few values is to be told from the others: by the order of a number (the area
under the ROC curve, exact), and by what the same value stood for in the other half of the rows (a number of many
values is cut into ranges), so that a column in which every value is another tells nothing. A number is to be put into
order: Spearman's coefficient, which a few huge values don't move.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from features.core.leakage import Finding

# A good feature seldom passes 0.99; a copy, a recoding or a sum with small noise lies above this.
NEAR_PERFECT = 0.999
# With fewer rows, or a class of fewer, two columns can agree by chance.
MIN_ROWS, MIN_CLASS_ROWS = 100, 10
MAX_INTEGER_CLASSES, MAX_CLASSES, RANGES = 20, 50, 1000

Columns = Sequence[Mapping[str, Any]]
Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]


def target_copies(table: pa.Table, columns: Columns, target: str) -> list[Finding]:
    """Find the features that tell the target all but perfectly.

    Parameters
    ----------
    table : pyarrow.Table
        The training set.
    columns : sequence of mapping
        Name, dtype and role of each column; those of role feature are looked at, times are not.
    target : str
        The column to predict.

    Returns
    -------
    list of Finding
        `target_copy:COLUMN`, in the order of the columns; none where fewer than 100 rows have a target.
    """
    dtypes = {column["name"]: column["dtype"] for column in columns}
    present = pc.is_valid(table[target])
    if dtypes[target] == "number":
        present = pc.and_(present, pc.fill_null(pc.is_finite(table[target]), False))
    rows = table.filter(present)
    if rows.num_rows < MIN_ROWS or dtypes[target] == "timestamp":
        return []
    labels = _labels(rows[target], dtypes[target])
    goal = _numbers(rows[target]) if labels is None else labels
    if labels is not None and len(np.unique(labels)) < 2:
        return []
    findings = []
    for column in columns:
        name, dtype = column["name"], column["dtype"]
        if column["role"] != "feature" or name == target or dtype == "timestamp":
            continue
        measure, score = _score(rows[name], dtype, goal, classes=labels is not None)
        if score >= NEAR_PERFECT:
            text = f"alone it tells {target!r} all but perfectly ({measure} {score:.4f} over {rows.num_rows:,} rows)"
            evidence = {"measure": measure, "score": round(score, 6), "limit": NEAR_PERFECT, "rows": rows.num_rows}
            findings.append(Finding(name=f"target_copy:{name}", severity="stop", text=text, evidence=evidence))
    return findings


def _labels(values: pa.ChunkedArray, dtype: str) -> Codes | None:
    """Return classes as numbers from 0, as training would see them; None for a target that is a quantity."""
    codes = values.combine_chunks().dictionary_encode()
    classes = len(codes.dictionary)
    if dtype in ("string", "boolean") or (dtype == "integer" and classes <= MAX_INTEGER_CLASSES) or classes == 2:
        indices: Codes = codes.indices.to_numpy().astype(np.int64)
        return indices
    return None


def _score(values: pa.ChunkedArray, dtype: str, goal: Any, *, classes: bool) -> tuple[str, float]:
    codes = _codes(values, dtype)
    numeric = dtype != "string"
    if not classes:
        by_order = abs(spearman(_numbers(values), goal)) if numeric else 0.0
        return "Spearman", max(by_order, _by_value(codes, goal))
    counted = np.flatnonzero(np.bincount(goal) >= MIN_CLASS_ROWS)[:MAX_CLASSES]
    if len(counted) < 2:
        return "AUC", 0.0
    by_value = min(_told_by_value(codes, goal == label) for label in counted)
    two = numeric and len(counted) == 2
    return "AUC", max(by_value, _told_by_order(_numbers(values), goal == counted[1]) if two else 0.0)


def _numbers(values: pa.ChunkedArray) -> Floats:
    numbers: Floats = values.cast(pa.float64(), safe=False).to_numpy()
    return numbers


def _codes(values: pa.ChunkedArray, dtype: str) -> Codes:
    """Number the values; those of a number with many are cut into ranges of equally many rows."""
    if dtype == "string":
        encoded = values.combine_chunks().dictionary_encode()
        texts: Codes = pc.fill_null(encoded.indices, len(encoded.dictionary)).to_numpy().astype(np.int64)
        return texts
    numbers = _numbers(values)
    present = ~np.isnan(numbers)
    known = np.sort(numbers[present])
    edges = known[np.flatnonzero(np.diff(known, prepend=-np.inf))] if len(known) else known
    if len(edges) > RANGES:
        edges = np.unique(known[:: max(1, len(known) // RANGES)])
    codes: Codes = np.where(present, np.searchsorted(edges, numbers, side="right"), 0)
    return codes


def _told_by_order(values: Floats, positive: npt.NDArray[np.bool_]) -> float:
    """Return the area under the ROC curve, in the better direction, with missing values at the better end."""
    there = ~np.isnan(values)
    wins = _wins(values[there], positive[there])
    yes, no = float(positive[there].sum()), float((~positive[there]).sum())
    no_missing, yes_missing = float((~positive[~there]).sum()), float(positive[~there].sum())
    ties = yes_missing * no_missing / 2
    last = wins + yes_missing * no + ties
    first = wins + yes * no_missing + ties
    areas = [area / ((yes + yes_missing) * (no + no_missing)) for area in (first, last)]
    return max(max(area, 1 - area) for area in areas)


def _wins(values: Floats, positive: npt.NDArray[np.bool_]) -> float:
    """Count the pairs in which the positive row has the greater value; a tie is half a win."""
    if not len(values):
        return 0.0
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    yes = np.add.reduceat(positive[order].astype(np.int64), starts)
    no = np.diff(np.append(starts, len(ordered))) - yes
    return float((yes * (np.cumsum(no) - no) + yes * no / 2).sum())


def _told_by_value(codes: Codes, positive: npt.NDArray[np.bool_]) -> float:
    """Return the area under the ROC curve of what the same value stood for in the other half of the rows."""
    rates = _learnt(codes, positive.astype(np.float64))
    judged = positive[1::2]
    yes = float(judged.sum())
    pairs = yes * (len(judged) - yes)
    return _wins(rates, judged) / pairs if pairs else 0.0


def _by_value(codes: Codes, goal: Floats) -> float:
    return spearman(_learnt(codes, goal), goal[1::2])


def _learnt(codes: Codes, goal: Floats) -> Floats:
    """Return, for every second row, the mean over the other rows of the same value; the mean of all for a new one."""
    learnt, size = goal[0::2], int(codes.max(initial=0)) + 1
    counts = np.bincount(codes[0::2], minlength=size)
    sums = np.bincount(codes[0::2], learnt, minlength=size)
    means = np.where(counts > 0, sums / np.maximum(counts, 1), learnt.mean())
    found: Floats = means[codes[1::2]]
    return found


def spearman(left: Floats, right: Floats) -> float:
    """Return the correlation of two columns' ranks over the rows in which both are known.

    Parameters
    ----------
    left, right : ndarray of shape (n,)
        Numbers, NaN where missing.

    Returns
    -------
    float
        From -1 to 1; 0 where too few rows are known (100, and a tenth of all) or one column does not vary.
    """
    both = ~(np.isnan(left) | np.isnan(right))
    if both.sum() < max(MIN_ROWS / 2, len(left) / 10):
        return 0.0
    a, b = _ranks(left[both]), _ranks(right[both])
    a, b = a - a.mean(), b - b.mean()
    scale = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / scale if scale else 0.0


def _ranks(values: Floats) -> Floats:
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    sizes = np.diff(np.append(starts, len(ordered)))
    ranks = np.empty(len(values))
    ranks[order] = np.repeat(starts + (sizes - 1) / 2, sizes)
    return ranks
