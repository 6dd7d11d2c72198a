"""Choose the probability from which on a row is called positive, for a stated goal."""

import re
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from features.ground.errors import bounded
from pipeline.core.metrics import FloatArray
from pipeline.core.training_errors import InvalidTrainingRequestError, ThresholdGoalError

FORMS = "f1, precision>=X, recall>=X (X over 0, at most 1) or cost=fp:A,fn:B"
_SHARE = re.compile(r"(precision|recall)>=(0?\.\d{1,9}|1(?:\.0{1,9})?)")
_COST = re.compile(r"cost=fp:(\d{1,9}(?:\.\d{1,9})?),fn:(\d{1,9}(?:\.\d{1,9})?)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Goal:
    """What a threshold is chosen for.

    Attributes
    ----------
    kind : {"f1", "precision", "recall", "cost"}
        What is to be largest, what must be reached, or what is to be smallest.
    least : float
        Of precision or recall.
    false_positive, false_negative : float
        Cost of one of each.
    """

    kind: Literal["f1", "precision", "recall", "cost"]
    least: float = 0.0
    false_positive: float = 0.0
    false_negative: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Threshold:
    """A chosen threshold, and what it gives on the rows it was chosen on.

    Attributes
    ----------
    value : float
        Between 0 and 1.
    precision, recall, f1 : float
        Of the second class; precision counts as 0 where no row is called positive.
    cost : float or None
        Mean cost of a row, where the goal names costs.
    rows : int
        How many rows it was chosen on.
    """

    value: float
    precision: float
    recall: float
    f1: float
    cost: float | None
    rows: int

    def as_dict(self) -> dict[str, Any]:
        """Return it JSON-compatible.

        Returns
        -------
        dict
            Without what is None.
        """
        return {name: value for name, value in asdict(self).items() if value is not None}


def parse_goal(text: str) -> Goal:
    """Read a goal.

    Parameters
    ----------
    text : str
        `f1`, `precision>=0.9`, `recall>=0.8` or `cost=fp:1,fn:5`.

    Returns
    -------
    Goal
        What it says.

    Raises
    ------
    InvalidTrainingRequestError
        If it says something else.
    """
    plain = "".join(str(text).split())
    if plain == "f1":
        return Goal(kind="f1")
    if (found := _SHARE.fullmatch(plain)) and float(found[2]) > 0:
        return Goal(kind="precision" if found[1] == "precision" else "recall", least=float(found[2]))
    if (found := _COST.fullmatch(plain)) and float(found[1]) + float(found[2]) > 0:
        return Goal(kind="cost", false_positive=float(found[1]), false_negative=float(found[2]))
    raise InvalidTrainingRequestError(
        f"threshold_goal must be {FORMS}, got {bounded(text)}", field="threshold_goal", got=bounded(text)
    )


def choose_threshold(positive: npt.NDArray[np.bool_], shares: FloatArray, goal: Goal) -> Threshold:
    """Choose the threshold that serves a goal best.

    It lies midway between two neighbouring probabilities, so that no row it was chosen on is close to it. Of equally
    good ones it is the highest.

    Parameters
    ----------
    positive : ndarray of shape (n_rows,)
        Which rows are of the second class.
    shares : ndarray of shape (n_rows,)
        Probabilities of the second class.
    goal : Goal
        What is wanted.

    Returns
    -------
    Threshold
        The chosen one.

    Raises
    ------
    ThresholdGoalError
        If no threshold reaches the goal.
    """
    values, called, found = _cuts(positive, shares)
    total = float(positive.sum())
    precision = np.divide(found, called, out=np.zeros_like(found), where=called > 0)
    recall = found / total if total else np.zeros_like(found)
    both = precision + recall
    f1 = np.divide(2 * precision * recall, both, out=np.zeros_like(both), where=both > 0)
    cost = (goal.false_positive * (called - found) + goal.false_negative * (total - found)) / len(positive)
    at = _best(goal, precision, recall, f1, cost)
    return Threshold(
        value=float(values[at]),
        precision=float(precision[at]),
        recall=float(recall[at]),
        f1=float(f1[at]),
        cost=float(cost[at]) if goal.kind == "cost" else None,
        rows=len(positive),
    )


def _cuts(positive: npt.NDArray[np.bool_], shares: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return thresholds from high to low; rows called positive at each; how many of those are."""
    order = np.argsort(-shares, kind="stable")
    ranked, hits = shares[order], np.cumsum(positive[order])
    last = np.flatnonzero(np.append(np.diff(ranked) < 0, True))
    above, below = ranked[last], np.append(ranked[last[1:]], 0.0)
    values = np.concatenate([[(1 + ranked[0]) / 2], (above + below) / 2])
    counts, found = np.concatenate([[0.0], last + 1]), np.concatenate([[0.0], hits[last]])
    # A probability of exactly 0 or 1 leaves no room beyond it.
    inside = (values > 0) & (values < 1)
    return values[inside], counts[inside], found[inside]


def _best(goal: Goal, precision: FloatArray, recall: FloatArray, f1: FloatArray, cost: FloatArray) -> int:
    if goal.kind == "f1":
        return int(f1.argmax())
    if goal.kind == "cost":
        return int(cost.argmin())
    asked, other = (precision, recall) if goal.kind == "precision" else (recall, precision)
    reached = asked >= goal.least
    if not reached.any():
        raise ThresholdGoalError(
            f"no threshold reaches {goal.kind}>={goal.least:g} on the validation rows; the best has "
            f"{asked.max(initial=0.0):.4g}",
            goal=f"{goal.kind}>={goal.least:g}",
            best=float(asked.max(initial=0.0)),
        )
    return int(np.where(reached, other, -1.0).argmax())
