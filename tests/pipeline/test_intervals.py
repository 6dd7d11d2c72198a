"""Intervals, curves and importance: what the numbers beside a metric mean."""

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, confusion_matrix, roc_curve

from pipeline.core.curves import confusion, ranking_curves, residuals
from pipeline.core.intervals import bootstrap_intervals, resamples
from pipeline.core.training import TrainedModel, train_on
from pipeline.core.training_plan import TrainingPlan
from tests.pipeline.training_data import flights


def train(target: str = "late", rows: int = 800, **plan: Any) -> TrainedModel:
    return train_on(*flights(rows, target=target), TrainingPlan(**plan))


def test_interval_of_a_mean_is_the_one_of_the_textbook() -> None:
    values = np.random.default_rng(1).normal(5, 2, 400)
    (low, high) = bootstrap_intervals(lambda rows: {"mean": values[rows].mean()}, 400, seed=0, draws=1000)["mean"]
    half = 1.96 * values.std(ddof=1) / 20
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.03)


def test_interval_covers_the_truth_as_often_as_it_says() -> None:
    draw = np.random.default_rng(2)
    held = 0
    for sample in range(200):
        values = draw.normal(0, 1, 60)
        low, high = bootstrap_intervals(lambda rows, of=values: {"m": of[rows].mean()}, 60, seed=sample, draws=200)["m"]
        held += low <= 0 <= high
    assert 180 <= held <= 198


def test_metric_that_is_seldom_defined_has_no_interval() -> None:
    def measure(rows: Any) -> dict[str, float]:
        return {"always": 1.0, **({"seldom": 1.0} if (rows == 0).sum() > 3 else {})}

    assert bootstrap_intervals(measure, 50, seed=0, draws=100) == {"always": [1.0, 1.0]}


def test_more_rows_are_drawn_less_often() -> None:
    assert [resamples(rows, 2) for rows in (100, 10_000, 10_000_000)] == [1000, 150, 100]


def test_every_test_metric_has_an_interval_around_it() -> None:
    model = train(estimator="logistic_regression", slices=("weekend",))
    found, test = model.metrics["intervals"], model.metrics["test"]
    assert (found["level"], found["resamples"]) == (0.95, 1000)
    assert set(found["test"]) == set(test)
    # Taking rows twice adds to a calibration error, which is never below 0.
    plain = [name for name in test if name != "calibration_error"]
    assert all(found["test"][name][0] < test[name] < found["test"][name][1] for name in plain)
    whole = np.diff(found["test"]["log_loss"])[0]
    for group in model.metrics["slices"]["weekend"]:
        low, high = group["intervals"]["log_loss"]
        assert low < group["metrics"]["log_loss"] < high
        assert high - low > whole


def test_intervals_are_seeded() -> None:
    first, again, other = (train("delay", estimator="ridge", split="time", seed=seed) for seed in (1, 1, 2))
    assert first.metrics["intervals"] == again.metrics["intervals"]
    assert first.metrics["intervals"]["test"] != other.metrics["intervals"]["test"]


def test_curves_are_those_of_scikit_learn() -> None:
    draw = np.random.default_rng(3)
    shares = np.round(draw.random(500), 2)
    positive = draw.random(500) < shares
    found = ranking_curves(positive, shares)
    rate, hit, _ = roc_curve(positive, shares, drop_intermediate=False)
    grid = found["roc"]["false_positive_rate"]
    # Where the curve climbs straight up, any height between is on it.
    highest = [hit[rate <= at + 1e-9].max() for at in grid]
    assert all(seen <= most + 0.05 for seen, most in zip(found["roc"]["true_positive_rate"], highest, strict=True))
    area = np.trapezoid(found["roc"]["true_positive_rate"], grid)
    assert area == pytest.approx(np.trapezoid(hit, rate), abs=0.01)
    assert found["precision_recall"]["average_precision"] == pytest.approx(average_precision_score(positive, shares))
    assert ranking_curves(np.ones(5, dtype=bool), np.ones(5)) == {}


def test_confusion_counts_what_was_called_what() -> None:
    draw = np.random.default_rng(4)
    actual, called = draw.integers(0, 3, 90), draw.integers(0, 3, 90)
    assert confusion(actual, called, 3) == confusion_matrix(actual, called).tolist()
    assert confusion(actual, called, 21) == []


def test_confusion_of_a_model_follows_its_threshold() -> None:
    model = train(estimator="logistic_regression", threshold_goal="recall>=1", split="random")
    (_, false_positive), (missed, found) = model.metrics["curves"]["confusion"]["counts"]
    assert found / (found + missed) == model.metrics["test"]["recall"]
    assert found / (found + false_positive) == model.metrics["test"]["precision"]


def test_residuals_are_counted_and_banded() -> None:
    model = train("delay", estimator="ridge")
    found = model.metrics["curves"]["residuals"]
    assert sum(found["counts"]) == sum(found["bands"]["count"]) == 160
    assert found["bands"]["predicted"] == sorted(found["bands"]["predicted"])
    assert all(
        low <= mid <= high
        for low, mid, high in zip(*(found["bands"][n] for n in ("low", "median", "high")), strict=True)
    )
    even = residuals(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.0]))
    assert even["bands"]["median"] == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("target", ["late", "delay"])
def test_importance_finds_what_the_target_was_made_of(target: str) -> None:
    found = train(target, importance=True).metrics["importance"]
    assert (found["part"], found["rows"], found["repeats"]) == ("validation", 128, 5)
    assert next(iter(found["features"])) == "wind (kt)"
    means = [one["mean"] for one in found["features"].values()]
    assert means == sorted(means, reverse=True)
    assert abs(found["features"]["weekend"]["mean"]) < found["features"]["wind (kt)"]["mean"] / 10


def test_importance_is_measured_where_a_validation_part_is_there_or_asked_for() -> None:
    assert train(estimator="dummy").metrics["importance"] == {}
    assert train(estimator="linear_svm").metrics["importance"]["rows"] == 128
