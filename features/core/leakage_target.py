"""Features that know the target: one column that tells the answer all but perfectly.

Each column is asked alone. A label is to be told from the others (the area under the ROC curve): by the order of a
number, exactly, and by what the same value, or the next ones of a number of many values, stood for in the other half
of the rows; so a text that is another in every row tells nothing. A quantity is to be put into order: Spearman's
coefficient, which a few huge values don't move.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
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
MAX_INTEGER_CLASSES, MAX_CLASSES = 20, 50
# A column of fewer rows a value is asked by order and place, not by value.
ROWS_A_VALUE = 20

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
    learnt = _learnt_by_value(values) if dtype == "string" or _few(values) else _learnt_by_place(_numbers(values))
    numeric = dtype != "string"
    if not classes:
        by_order = abs(spearman(_numbers(values), goal)) if numeric else 0.0
        # A quantity that moves smoothly with another is no copy of it, so places don't count here.
        by_value = 0.0 if learnt.by_place else spearman(learnt(goal), goal[1::2])
        return "Spearman", max(by_order, by_value)
    counted = np.flatnonzero(np.bincount(goal) >= MIN_CLASS_ROWS)[:MAX_CLASSES]
    if len(counted) < 2:
        return "AUC", 0.0
    by_value = min(_told(learnt(goal == label), goal[1::2] == label) for label in counted)
    two = numeric and len(counted) == 2
    return "AUC", max(by_value, _told_by_order(_numbers(values), goal == counted[1]) if two else 0.0)


def _few(values: pa.ChunkedArray) -> bool:
    distinct: int = pc.count_distinct(values, mode="all").as_py()
    return distinct <= len(values) / ROWS_A_VALUE


def _numbers(values: pa.ChunkedArray) -> Floats:
    numbers: Floats = values.cast(pa.float64(), safe=False).to_numpy()
    return numbers


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


def _told(rates: Floats, positive: npt.NDArray[np.bool_]) -> float:
    """Return the area under the ROC curve; only the right direction counts."""
    yes = float(positive.sum())
    pairs = yes * (len(positive) - yes)
    return _wins(rates, positive) / pairs if pairs else 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class _Learnt:
    """What every second row would be told by the others: the goal's mean over some of those, found once."""

    mean_of: Callable[[Floats], Floats]
    by_place: bool

    def __call__(self, goal: npt.NDArray[Any]) -> Floats:
        return self.mean_of(goal[0::2].astype(np.float64))


def _learnt_by_value(values: pa.ChunkedArray) -> _Learnt:
    """Ask the rows of the same value; all, for a value that is new."""
    encoded = values.combine_chunks().dictionary_encode()
    codes = pc.fill_null(encoded.indices, len(encoded.dictionary)).to_numpy().astype(np.int64)
    size = len(encoded.dictionary) + 1
    counts = np.bincount(codes[0::2], minlength=size)

    def mean(goal: Floats) -> Floats:
        sums = np.bincount(codes[0::2], goal, minlength=size)
        means: Floats = np.where(counts > 0, sums / np.maximum(counts, 1), goal.mean())[codes[1::2]]
        return means

    return _Learnt(mean_of=mean, by_place=False)


def _learnt_by_place(values: Floats) -> _Learnt:
    """Ask the nearest row below and the nearest above; missing values lie above all others."""
    order = np.argsort(values[0::2], kind="stable")
    above = np.searchsorted(values[0::2][order], values[1::2])
    pair = [np.clip(place, 0, len(order) - 1) for place in (above - 1, above)]

    def mean(goal: Floats) -> Floats:
        ordered = goal[order]
        means: Floats = (ordered[pair[0]] + ordered[pair[1]]) / 2
        return means

    return _Learnt(mean_of=mean, by_place=True)


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
