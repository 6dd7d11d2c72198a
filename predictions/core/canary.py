"""Is a canary worse than what is in production?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from predictions.core.sequential import Evidence, FloatArray, evidence_above, running_mean

# A canary may be this much slower beside its share: of a very fast model any ratio is noise.
SLACK_MS = 0.5
TESTS = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What a canary may do before it is stopped.

    Parameters
    ----------
    alpha : float
        Chance that a canary as good as production is ever stopped, all tests together.
    error_share : float
        Share of its requests it may have no answer for.
    latency_ratio : float
        How many times production's median latency most of its answers may take.
    """

    alpha: float
    error_share: float
    latency_ratio: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """What is known of a canary, each in the order in which it became known.

    Parameters
    ----------
    failures : ndarray of shape (n_requests,)
        1 where it had no answer and production had, else 0.
    not_finite : int
        How many of those answers were no numbers.
    latencies_ms : ndarray of shape (n_answers,)
        Of its answers, by row.
    production_ms : float or None
        Production's median; None if production answered nothing.
    differences : ndarray of shape (n_outcomes,)
        Its loss minus production's on the same row, from -1 to 1.
    """

    failures: FloatArray
    not_finite: int
    latencies_ms: FloatArray
    production_ms: float | None
    differences: FloatArray


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What speaks against a canary; `why` is empty while nothing does, `drawn` is how the mean difference went."""

    why: tuple[str, ...]
    not_finite: int
    errors: Evidence
    latency: Evidence
    outcomes: Evidence
    drawn: list[tuple[int, float, float, float]]

    @property
    def stop(self) -> bool:
        """Tell whether it must be stopped."""
        return bool(self.why)


def judge(seen: Seen, limits: Limits) -> Verdict:
    """Weigh what is known of a canary.

    Parameters
    ----------
    seen : Seen
        What is known.
    limits : Limits
        What is allowed.

    Returns
    -------
    Verdict
        May be asked for as often as one likes: the tests are always valid, and share alpha.
    """
    alpha = limits.alpha / TESTS
    slow = np.zeros(0)
    if seen.production_ms is not None:
        slow = (seen.latencies_ms > limits.latency_ratio * seen.production_ms + SLACK_MS).astype(np.float64)
    errors = evidence_above(seen.failures, limit=limits.error_share, least=0.0, most=1.0, alpha=alpha)
    latency = evidence_above(slow, limit=0.5, least=0.0, most=1.0, alpha=alpha)
    outcomes = evidence_above(seen.differences, limit=0.0, least=-1.0, most=1.0, alpha=alpha)
    why = []
    if seen.not_finite:
        why.append(f"{seen.not_finite} answers were no numbers")
    if errors.refuted:
        why.append(f"no answer for {errors.mean:.1%} of {errors.count} requests, {limits.error_share:.1%} are allowed")
    if latency.refuted:
        why.append(
            f"{latency.mean:.0%} of {latency.count} answers took over {limits.latency_ratio:g} times "
            f"production's median of {seen.production_ms:.2f} ms"
        )
    if outcomes.refuted:
        why.append(f"mean loss {outcomes.mean:+.3f} against production on {outcomes.count} rows whose outcome is known")
    return Verdict(
        why=tuple(why),
        not_finite=seen.not_finite,
        errors=errors,
        latency=latency,
        outcomes=outcomes,
        drawn=running_mean(seen.differences, least=-1.0, most=1.0, alpha=alpha),
    )


def loss_difference(
    canary: Mapping[str, Any], production: Mapping[str, Any], row: int, actual: Any, classes: Sequence[Any]
) -> float | None:
    """Return how much worse a canary did on one row than production.

    Parameters
    ----------
    canary, production : mapping
        Their recorded outputs: predictions and, for a classifier, probabilities.
    row : int
        Which row.
    actual : Any
        What came true.
    classes : sequence
        Labels in the order of the probabilities; empty for a regression.

    Returns
    -------
    float or None
        Half the difference of their Brier scores where both give probabilities, from -1 to 1; else which of the two
        was wrong, or farther away: -1, 0 or 1. None if one of them has no such row.
    """
    try:
        ours, theirs = canary["predictions"][row], production["predictions"][row]
    except (KeyError, IndexError):
        return None
    if not classes:
        near, far = abs(float(ours) - float(actual)), abs(float(theirs) - float(actual))
        return float(near > far) - float(near < far)
    shares = [outputs.get("probabilities") for outputs in (canary, production)]
    if all(shares) and actual in classes:
        truth = np.array([label == actual for label in classes], dtype=np.float64)
        first, second = (float(((np.array(share[row]) - truth) ** 2).sum() / 2) for share in shares if share)
        return first - second
    return float(ours != actual) - float(theirs != actual)
