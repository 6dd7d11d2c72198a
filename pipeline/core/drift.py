"""What is compared when served values are held against training values, and what the comparison found."""

import random
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import pandas as pd

Item = TypeVar("Item")
SEED = 20130101
# Below a p-value, or above a distance, a column counts as drifted; each measure has its customary limit.
_LIMITS = {"psi": 0.2, "ks": 0.05, "chisquare": 0.05, "wasserstein": 0.1, "jensenshannon": 0.1}
# A measure of numbers and the one of categories that reads the same way beside it.
_CATEGORICAL = {"psi": "psi", "ks": "chisquare", "wasserstein": "jensenshannon", "jensenshannon": "jensenshannon"}
METHODS = tuple(_CATEGORICAL)


@dataclass(frozen=True, kw_only=True, slots=True)
class DriftMethod:
    """How columns are measured, and from which value on they count as drifted.

    Parameters
    ----------
    name : str
        Measure of the numerical columns, one of `METHODS`.
    categorical : str
        Measure of the categorical columns.
    threshold, categorical_threshold : float
        Limits in the measures' own units.
    drift_share : float
        Share of drifted columns, 0 to 1, from which on the whole window counts as drifted.
    """

    name: str
    categorical: str
    threshold: float
    categorical_threshold: float
    drift_share: float


@dataclass(frozen=True, kw_only=True, slots=True)
class ColumnDrift:
    """One column's score, in the measure's own unit, and whether it is over the limit."""

    score: float
    drifted: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """Two frames ready to be compared, column by column.

    Parameters
    ----------
    reference, current : pandas.DataFrame
        The same columns in both, named for display.
    numerical, categorical : list of str
        Display names by kind.
    names : dict
        From the display name to the column's own.
    not_measured : list of str
        Own names of columns without a single value on one of the two sides.
    """

    reference: pd.DataFrame
    current: pd.DataFrame
    numerical: list[str]
    categorical: list[str]
    names: dict[str, str]
    not_measured: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What a comparison found: columns by their own name, and the page that shows it."""

    dataset_drift: bool
    columns: dict[str, ColumnDrift]
    html: str
    json: str

    @property
    def drift_share(self) -> float:
        """Return the share of measured columns that drifted, 0 to 1."""
        return sum(column.drifted for column in self.columns.values()) / max(len(self.columns), 1)


def drift_method(name: str, *, drift_share: float, threshold: float | None = None) -> DriftMethod:
    """Return the measures a method stands for.

    Parameters
    ----------
    name : str
        One of `METHODS`.
    drift_share : float
        Share of columns, 0 to 1, that makes the window drifted.
    threshold : float, optional
        Limit of this method instead of the customary one.

    Returns
    -------
    DriftMethod
        The method with the limits of both kinds of column.
    """
    categorical = _CATEGORICAL[name]
    limit = _LIMITS[name] if threshold is None else threshold
    return DriftMethod(
        name=name,
        categorical=categorical,
        threshold=limit,
        categorical_threshold=limit if categorical == name else _LIMITS[categorical],
        drift_share=drift_share,
    )


def compare(reference: pd.DataFrame, current: pd.DataFrame, schema: Sequence[Mapping[str, Any]]) -> Comparison:
    """Bring two frames to the same columns and types, and leave out what can't be measured.

    Parameters
    ----------
    reference, current : pandas.DataFrame
        Training values and served values; either may lack columns.
    schema : sequence of mapping
        The model's inputs: `name` and `dtype` (number or string).

    Returns
    -------
    Comparison
        The measurable columns of both frames; empty of columns if none is measurable.
    """
    shown = display_names([str(column["name"]) for column in schema])
    kinds: dict[str, list[str]] = {"number": [], "string": []}
    left: dict[str, pd.Series[Any]] = {}
    right: dict[str, pd.Series[Any]] = {}
    missing = []
    for column in schema:
        name, kind = str(column["name"]), str(column["dtype"])
        before, after = _values(reference, name, kind), _values(current, name, kind)
        if not before.notna().any() or not after.notna().any():
            missing.append(name)
            continue
        label = shown[name]
        left[label], right[label] = before, after
        kinds[kind].append(label)
    return Comparison(
        reference=pd.DataFrame(left),
        current=pd.DataFrame(right),
        numerical=kinds["number"],
        categorical=kinds["string"],
        names={label: name for name, label in shown.items()},
        not_measured=missing,
    )


def display_names(names: Sequence[str]) -> dict[str, str]:
    """Return a name fit for a page for each column: no control characters, no two alike.

    Parameters
    ----------
    names : sequence of str
        Column names, each once.

    Returns
    -------
    dict
        Own name to display name, the same where nothing had to change.
    """
    shown: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        clean = "".join("\ufffd" if unicodedata.category(char) in ("Cc", "Cf", "Cs") else char for char in name)
        label, count = clean, 1
        while label in taken or (label != name and label in names):
            count += 1
            label = f"{clean} ({count})"
        taken.add(label)
        shown[name] = label
    return shown


def sample(items: Iterable[Item], size: int, *, seed: int = SEED) -> tuple[list[Item], int]:
    """Keep at most `size` items, each with the same chance, in one pass and little memory.

    Parameters
    ----------
    items : iterable
        Read once.
    size : int
        How many to keep.
    seed : int
        The same items and seed keep the same ones.

    Returns
    -------
    tuple of list and int
        The kept items, and how many there were.
    """
    chance = random.Random(seed)  # noqa: S311 (a repeatable sample, not a secret)
    kept: list[Item] = []
    count = 0
    for item in items:
        count += 1
        if len(kept) < size:
            kept.append(item)
        elif (slot := chance.randrange(count)) < size:
            kept[slot] = item
    return kept, count


def _values(frame: pd.DataFrame, name: str, kind: str) -> "pd.Series[Any]":
    """Return a column as floats or as text, all missing if the frame has no such column."""
    if name not in frame.columns:
        return pd.Series(np.full(len(frame), np.nan))
    column = frame[name].reset_index(drop=True)
    if kind == "number":
        numbers = pd.to_numeric(column, errors="coerce").astype("float64")
        return numbers.where(np.isfinite(numbers))
    return column.map(lambda value: None if pd.isna(value) else str(value)).astype("object")
