"""Which rows a model learns from and which it is judged on."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.core.training_errors import EmptySplitError

IndexArray = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Split:
    """Rows by position, each part in ascending order.

    Attributes
    ----------
    train, test : ndarray of shape (n_part,)
        Positions in the table; no row is in both.
    cut : numpy.datetime64 or None
        Test rows are at or after this moment, training rows before it; None for a random split.
    left_out : int
        Rows in neither part: without a time, or with a label that was not yet known at the cut.
    """

    train: IndexArray
    test: IndexArray
    cut: np.datetime64 | None = None
    left_out: int = 0


def time_split(
    times: npt.NDArray[np.datetime64], test_size: float, known_at: npt.NDArray[np.datetime64] | None = None
) -> Split:
    """Put the latest rows into the test part.

    Rows of one moment stay together. A row from before the cut whose label became known only after it is left out:
    nobody could have learnt from it at that time (purging; Lopez de Prado, Advances in Financial Machine Learning,
    2018, ch. 7).

    Parameters
    ----------
    times : ndarray of shape (n_rows,)
        When each row happened; a row without a time is left out.
    test_size : float
        Share of the rows to test on, between 0 and 1, exclusive.
    known_at : ndarray of shape (n_rows,), optional
        When each row's label became known; a missing one counts as known at once.

    Returns
    -------
    Split
        Both parts hold rows.

    Raises
    ------
    EmptySplitError
        If one part would be empty.
    """
    timed = np.flatnonzero(~np.isnat(times))
    moments, counts = np.unique(times[timed], return_counts=True)
    if len(moments) < 2:
        raise EmptySplitError(
            f"a time split needs rows at two moments or more, got {len(moments)}; use --split random",
            moments=len(moments),
        )
    before = np.cumsum(counts) - counts
    # The last moment with enough rows before it, but never the first: that would leave nothing to learn from.
    position = max(1, int(np.searchsorted(before, len(timed) * (1 - test_size), side="right")) - 1)
    cut = moments[position]
    early = timed[times[timed] < cut]
    if known_at is not None:
        early = early[~(known_at[early] >= cut)]
    if not len(early):
        raise EmptySplitError(
            f"no label of a row before {cut} was known by then, so there is nothing to learn from; use --split random",
            cut=str(cut),
        )
    test = timed[times[timed] >= cut]
    return Split(train=early, test=test, cut=cut, left_out=len(times) - len(early) - len(test))


def random_split(rows: int, test_size: float, seed: int, classes: npt.NDArray[Any] | None = None) -> Split:
    """Draw the test part by lot, each class in its own share.

    Parameters
    ----------
    rows : int
        How many rows there are.
    test_size : float
        Share of the rows to test on, between 0 and 1, exclusive.
    seed : int
        The same seed draws the same rows.
    classes : ndarray of shape (n_rows,), optional
        Class of each row. A class keeps at least one row for training.

    Returns
    -------
    Split
        Both parts hold rows.

    Raises
    ------
    EmptySplitError
        If one part would be empty.
    """
    order = np.random.default_rng(seed).permutation(rows)
    groups = np.zeros(rows, dtype=np.int64) if classes is None else np.unique(classes, return_inverse=True)[1]
    chosen = np.zeros(rows, dtype=bool)
    for group in range(int(groups.max(initial=-1)) + 1):
        members = order[groups[order] == group]
        chosen[members[: min(len(members) - 1, round(len(members) * test_size))]] = True
    if not chosen.any() or chosen.all():
        raise EmptySplitError(f"{rows} rows are too few to keep {test_size:g} of them for the test", rows=rows)
    return Split(train=np.flatnonzero(~chosen), test=np.flatnonzero(chosen))


def group_split(groups: IndexArray, test_size: float, seed: int) -> Split:
    """Draw whole groups into the test part, so that none has rows in both.

    Parameters
    ----------
    groups : ndarray of shape (n_rows,)
        Group of each row, as a number.
    test_size : float
        Share of the rows to test on, between 0 and 1, exclusive; met as closely as whole groups allow.
    seed : int
        The same seed draws the same groups.

    Returns
    -------
    Split
        Both parts hold groups.

    Raises
    ------
    EmptySplitError
        If there are fewer than two groups.
    """
    names, place, counts = np.unique(groups, return_inverse=True, return_counts=True)
    if len(names) < 2:
        raise EmptySplitError(
            f"a group split needs two groups or more, got {len(names)}; use --split random", groups=len(names)
        )
    order = np.random.default_rng(seed).permutation(len(names))
    reached = np.cumsum(counts[order])
    nearest = int(np.abs(reached - len(groups) * test_size).argmin()) + 1
    chosen = np.zeros(len(names), dtype=bool)
    chosen[order[: min(max(nearest, 1), len(names) - 1)]] = True
    test = chosen[place]
    return Split(train=np.flatnonzero(~test), test=np.flatnonzero(test))
