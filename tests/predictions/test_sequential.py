"""Looking after every observation keeps the level; a real difference is found."""

import math

import numpy as np
import pytest

from predictions.core.canary import Limits, Seen, judge, loss_difference
from predictions.core.sequential import FloatArray, evidence_above, running_mean

ALPHA = 0.05
RUNS, LOOKS = 1000, 1000
NONE = np.zeros(0)
LIMITS = Limits(alpha=0.01, error_share=0.02, latency_ratio=3.0)


def stopped(draws: FloatArray, limit: float = 0.0, least: float = -1.0) -> float:
    """Return the share of runs that were stopped at any of their looks."""
    found = [evidence_above(row, limit=limit, least=least, most=1.0, alpha=ALPHA).refuted for row in draws]
    return float(np.mean(found))


def fair(kind: str) -> tuple[FloatArray, float, float]:
    """Return runs in which the claim just holds, with its limit and least value."""
    rng = np.random.default_rng(7)
    size = (RUNS, LOOKS)
    if kind == "coin":
        return rng.choice([-1.0, 1.0], size), 0.0, -1.0
    if kind == "ties":
        return rng.choice([-1.0, 0.0, 1.0], size, p=[0.02, 0.96, 0.02]), 0.0, -1.0
    if kind == "skewed":
        return rng.choice([-1.0, 0.1], size, p=[1 / 11, 10 / 11]), 0.0, -1.0
    if kind == "drifting":
        # Good and bad stretches that depend on the run so far, each observation fair all the same.
        draws = rng.choice([-1.0, 1.0], size)
        scale = np.where(np.cumsum(draws, axis=1) > 0, 1.0, 0.2)
        return draws * np.concatenate([np.ones((RUNS, 1)), scale[:, :-1]], axis=1), 0.0, -1.0
    return (rng.random(size) < 0.02).astype(float), 0.02, 0.0


@pytest.mark.parametrize("kind", ["coin", "ties", "skewed", "drifting", "errors"])
def test_looking_after_each_observation_keeps_false_alarms_below_alpha(kind: str) -> None:
    draws, limit, least = fair(kind)
    # Three standard errors of the simulation itself.
    assert stopped(draws, limit, least) <= ALPHA + 3 * math.sqrt(ALPHA * (1 - ALPHA) / RUNS)


def test_an_ordinary_test_would_not() -> None:
    draws, _, _ = fair("coin")
    counts = np.arange(1, LOOKS + 1)
    scores = np.cumsum(draws, axis=1) / np.sqrt(counts)
    naive = (scores[:, 20:] > 1.645).any(axis=1).mean()
    assert naive > 5 * ALPHA


@pytest.mark.parametrize(("mean", "within"), [(0.5, 60), (0.2, 600), (0.1, 2200)])
def test_a_worse_canary_is_found(mean: float, within: int) -> None:
    rng = np.random.default_rng(3)
    draws = np.where(rng.random((100, within)) < (1 + mean) / 2, 1.0, -1.0)
    assert stopped(draws) > 0.9


def test_a_later_look_confirms_an_earlier_one() -> None:
    draws = np.where(np.random.default_rng(1).random(500) < 0.7, 1.0, -1.0)
    whole = evidence_above(draws, limit=0.0, least=-1.0, most=1.0, alpha=ALPHA)
    before = evidence_above(draws[: whole.refuted_at - 1], limit=0.0, least=-1.0, most=1.0, alpha=ALPHA)
    assert whole.refuted
    assert not before.refuted


def test_the_interval_holds_the_mean_at_all_times() -> None:
    draws, _, _ = fair("coin")
    outside = 0
    for row in draws[:300]:
        drawn = running_mean(row, least=-1.0, most=1.0, alpha=ALPHA, points=LOOKS)
        outside += any(not low <= 0.0 <= high for _, _, low, high in drawn)
    assert outside / 300 <= ALPHA
    assert running_mean(NONE, least=-1.0, most=1.0, alpha=ALPHA) == []


def seen(**more: object) -> Seen:
    blank = {"failures": NONE, "not_finite": 0, "latencies_ms": NONE, "production_ms": None, "differences": NONE}
    return Seen(**{**blank, **more})  # type: ignore[arg-type]


def test_nothing_seen_is_nothing_against_it() -> None:
    assert judge(seen(), LIMITS).why == ()


@pytest.mark.parametrize(
    ("known", "why"),
    [
        ({"not_finite": 1}, "1 answers were no numbers"),
        ({"failures": np.ones(5)}, "no answer for 100.0% of 5 requests, 2.0% are allowed"),
        ({"latencies_ms": np.full(40, 4.0), "production_ms": 1.0}, "100% of 40 answers took over 3 times"),
        ({"differences": np.full(60, 0.5)}, "mean loss +0.500 against production on 60 rows"),
    ],
)
def test_each_harm_stops_a_canary(known: dict[str, object], why: str) -> None:
    verdict = judge(seen(**known), LIMITS)
    assert len(verdict.why) == 1
    assert verdict.why[0].startswith(why)


def test_a_canary_that_is_no_worse_goes_on() -> None:
    rng = np.random.default_rng(5)
    verdict = judge(
        seen(
            failures=(rng.random(3000) < 0.01).astype(float),
            latencies_ms=rng.gamma(2.0, 0.6, 3000),
            production_ms=1.0,
            differences=rng.choice([-0.3, 0.3], 3000) - 0.01,
        ),
        LIMITS,
    )
    assert verdict.why == ()


def test_losses_are_compared_on_the_same_row() -> None:
    sure = {"predictions": ["a"], "probabilities": [[1.0, 0.0]]}
    wrong = {"predictions": ["b"], "probabilities": [[0.0, 1.0]]}
    assert loss_difference(sure, wrong, 0, "a", ["a", "b"]) == -1.0
    assert loss_difference(wrong, sure, 0, "a", ["a", "b"]) == 1.0
    bare = [{"predictions": ["a"]}, {"predictions": ["b"]}]
    assert loss_difference(bare[1], bare[0], 0, "a", ["a", "b"]) == 1.0
    near, far = {"predictions": [1.0]}, {"predictions": [9.0]}
    assert [loss_difference(far, near, 0, 2.0, []), loss_difference(near, near, 0, 2.0, [])] == [1.0, 0.0]
    assert loss_difference(near, far, 1, 2.0, []) is None
