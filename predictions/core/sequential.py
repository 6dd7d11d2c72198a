"""Tests that may be looked at after every observation without losing their level.

A bettor who stakes a fixed share of her capital on each observation being above a limit can't expect to grow rich while
the mean is at most that limit, so her capital passes 1 / alpha at any time with a chance of at most alpha (Ville, Étude
critique de la notion de collectif, 1939). The mean capital of several bettors with different stakes keeps that, needs
no variance to be known, and grows exponentially once the limit is passed (Waudby-Smith and Ramdas, JRSS B 86, 2024).
The interval beside it is the confidence sequence of a normal mixture (Howard et al., Annals of Statistics 49, 2021);
why looking often needs such tests: Johari et al., KDD 2017.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
# Shares of the capital at stake; small ones find small differences, large ones find large differences soon.
STAKES = np.array([0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9])
# The confidence sequence is narrowest near this many observations.
NARROWEST_AT = 200.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """What observations say about their mean being above a limit, whenever one looks.

    Parameters
    ----------
    count : int
        How many there are.
    mean : float
        Their mean; NaN of none.
    low, high : float
        A confidence sequence: with a chance of 1 - alpha the mean is within it at all times.
    limit : float
        The mean that is allowed.
    against : float
        The largest capital so far; 1 / alpha or more refutes the limit.
    refuted : bool
        Whether it did.
    refuted_at : int
        After how many observations; 0 if it did not.
    """

    count: int
    mean: float
    low: float
    high: float
    limit: float
    against: float
    refuted: bool
    refuted_at: int


def evidence_above(values: FloatArray, *, limit: float, least: float, most: float, alpha: float) -> Evidence:
    """Weigh observations against the claim that their mean is at most a limit.

    Parameters
    ----------
    values : ndarray of shape (n,)
        In the order in which they became known; an earlier look must have seen a beginning of them.
    limit : float
        The mean that is allowed, above `least`.
    least, most : float
        Bounds no observation passes.
    alpha : float
        Chance of refuting a claim that is true, however often one looks.

    Returns
    -------
    Evidence
        Anytime-valid.
    """
    if not len(values):
        return Evidence(
            count=0, mean=math.nan, low=least, high=most, limit=limit, against=1.0, refuted=False, refuted_at=0
        )
    stakes = np.log1p(STAKES[:, None] * ((values - limit) / (limit - least))[None, :])
    capitals = np.logaddexp.reduce(np.cumsum(stakes, axis=1), axis=0) - math.log(len(STAKES))
    passed = np.flatnonzero(capitals >= -math.log(alpha))
    mean, radius = float(values.mean()), _radius(len(values), (most - least) / 2, alpha)
    return Evidence(
        count=len(values),
        mean=mean,
        low=max(least, mean - radius),
        high=min(most, mean + radius),
        limit=limit,
        against=math.exp(min(700.0, float(capitals.max()))),
        refuted=bool(len(passed)),
        refuted_at=int(passed[0]) + 1 if len(passed) else 0,
    )


def _radius(count: int, deviation: float, alpha: float) -> float:
    total = count + NARROWEST_AT
    return deviation * math.sqrt(total * math.log(total / (NARROWEST_AT * alpha**2))) / count


def running_mean(
    values: FloatArray, *, least: float, most: float, alpha: float, points: int = 60
) -> list[tuple[int, float, float, float]]:
    """Return how the mean and its confidence sequence went, to be drawn.

    Parameters
    ----------
    values : ndarray of shape (n,)
        In the order in which they became known.
    least, most : float
        Bounds no observation passes.
    alpha : float
        Level of the confidence sequence.
    points : int
        How many at most.

    Returns
    -------
    list of tuple
        Count, mean, low and high.
    """
    if not len(values):
        return []
    counts = np.unique(np.linspace(1, len(values), min(points, len(values))).astype(int)).tolist()
    sums = np.cumsum(values)
    drawn = []
    for count in counts:
        mean, radius = float(sums[count - 1]) / count, _radius(count, (most - least) / 2, alpha)
        drawn.append((count, mean, max(least, mean - radius), min(most, mean + radius)))
    return drawn
