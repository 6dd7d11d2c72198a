"""How much each feature moved an answer away from that for a typical row: Shapley values against one baseline.

Exact where the model is a sum over its columns (a linear model, in log-odds) and where few columns differ from the
baseline (all coalitions are asked: Sundararajan and Najmi 2020, "The many Shapley values for model explanation"); else
sampled over permutations, each with its reverse (Štrumbelj and Kononenko 2014, doi:10.1007/s10115-013-0679-x; Mitchell
et al. 2022, "Sampling permutations for Shapley value estimation"). The contributions always add up to output − base.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import comb
from typing import Any

import numpy as np
import numpy.typing as npt

from predictions.core.inputs import Columns

FloatArray = npt.NDArray[np.float64]
Score = Callable[[Columns], FloatArray]
# 2 ** 8 coalitions cost no more than a good sample.
ENUMERATED = 8
TOLERANCE = 1e-4
_LEAST_SHARE = 1e-30


@dataclass(frozen=True, kw_only=True, slots=True)
class Explanation:
    """What moved one answer.

    Parameters
    ----------
    method : str
        `linear` and `shapley` are exact, `shapley_sampling` is an estimate.
    base, output : float
        The margin of the baseline and of the row.
    contributions : dict of str to float
        By column; they add up to output − base.
    """

    method: str
    base: float
    output: float
    contributions: dict[str, float]

    def body(self) -> dict[str, Any]:
        """Return the JSON object."""
        return {
            "method": self.method,
            "base": self.base,
            "output": self.output,
            "contributions": self.contributions,
        }


def margins(shares: FloatArray, place: int) -> FloatArray:
    """Return the log-odds of one class, in which a linear model is a sum over its columns.

    Parameters
    ----------
    shares : ndarray of shape (n_rows, n_classes)
        Class probabilities.
    place : int
        Which class.

    Returns
    -------
    ndarray of shape (n_rows,)
        Of two classes the log of their ratio; of more, the log of the share over the geometric mean of all.
    """
    logs = np.log(np.maximum(shares, _LEAST_SHARE))
    if shares.shape[1] == 2:
        return np.asarray(logs[:, place] - logs[:, 1 - place])
    return np.asarray(logs[:, place] - logs.mean(axis=1))


def explain_row(
    score: Score, row: Columns, baseline: Columns, *, additive: bool, evaluations: int, seed: int
) -> Explanation:
    """Return what each column contributed to the margin of one row.

    Parameters
    ----------
    score : callable
        Returns one margin per row.
    row, baseline : Columns
        One row each.
    additive : bool
        Whether the model is said to be a sum over its columns; believed only if the sum comes out.
    evaluations : int
        About how many rows may be scored.
    seed : int
        Of the sample of permutations.

    Returns
    -------
    Explanation
        Columns that are as in the baseline contribute 0.
    """
    moved = [name for name in row if not _is_same(row[name][0], baseline[name][0])]
    count = len(moved)

    def ask(masks: npt.NDArray[np.bool_]) -> FloatArray:
        mixed = {name: np.repeat(values, len(masks)) for name, values in baseline.items()}
        for place, name in enumerate(moved):
            mixed[name][masks[:, place]] = row[name][0]
        return score(mixed)

    ends = ask(np.array([[False] * count, [True] * count]))
    base, output = float(ends[0]), float(ends[1])
    method, values = "linear", ask(np.eye(count, dtype=bool)) - base if additive and count else np.zeros(count)
    if abs(base + values.sum() - output) > TOLERANCE * max(1.0, abs(output - base)):
        if count <= ENUMERATED:
            method, values = "shapley", _enumerated(ask, count)
        else:
            method, values = "shapley_sampling", _sampled(ask, count, evaluations, seed)
    found = dict.fromkeys(row, 0.0) | dict(zip(moved, values.tolist(), strict=True))
    return Explanation(method=method, base=base, output=output, contributions=found)


def _is_same(one: Any, other: Any) -> bool:
    return bool(one == other or (one != one and other != other))


def _enumerated(ask: Callable[[npt.NDArray[np.bool_]], FloatArray], count: int) -> FloatArray:
    """Weigh the difference a column makes to every coalition of the others."""
    numbers = np.arange(2**count)
    masks = (numbers[:, None] >> np.arange(count)) & 1 == 1
    outputs, sizes = ask(masks), masks.sum(axis=1)
    weights = np.array([1 / (count * comb(count - 1, size)) for size in range(count)])
    values = np.zeros(count)
    for place in range(count):
        without = numbers[~masks[:, place]]
        values[place] = (weights[sizes[without]] * (outputs[without | (1 << place)] - outputs[without])).sum()
    return values


def _sampled(ask: Callable[[npt.NDArray[np.bool_]], FloatArray], count: int, evaluations: int, seed: int) -> FloatArray:
    """Average the difference a column makes when it joins in a random order, and in its reverse."""
    rng = np.random.default_rng(seed)
    pairs = max(1, evaluations // (2 * (count + 1)))
    orders = [order for _ in range(pairs) for order in _both_ways(rng.permutation(count))]
    steps = np.tri(count + 1, count, -1, dtype=bool)
    masks = np.concatenate([steps[:, np.argsort(order)] for order in orders])
    gains = np.diff(ask(masks).reshape(len(orders), count + 1), axis=1)
    values = np.zeros(count)
    for order, gain in zip(orders, gains, strict=True):
        values[order] += gain
    return values / len(orders)


def _both_ways(order: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    return order, order[::-1]
