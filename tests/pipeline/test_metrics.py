"""Metrics agree with scikit-learn where it has them, and with hand-made cases."""

import numpy as np
import pytest
from sklearn import metrics as reference

from pipeline.core import metrics
from pipeline.core.metrics import CodeArray, FloatArray


def forecast(classes: int, rows: int = 300, seed: int = 0) -> tuple[CodeArray, FloatArray]:
    draw = np.random.default_rng(seed)
    codes = draw.integers(0, classes, rows)
    shares = draw.dirichlet(np.ones(classes), rows)
    shares[np.arange(rows), codes] += 0.3
    return codes, np.round(shares / shares.sum(axis=1, keepdims=True), 3)


def test_roc_auc_of_two_classes_is_scikit_learns_with_ties() -> None:
    codes, shares = forecast(2)
    assert metrics.roc_auc_score(codes, shares) == pytest.approx(reference.roc_auc_score(codes, shares[:, 1]))


def test_roc_auc_of_many_classes_is_scikit_learns_one_against_one() -> None:
    codes, shares = forecast(4)
    shares = shares / shares.sum(axis=1, keepdims=True)
    expected = reference.roc_auc_score(codes, shares, multi_class="ovo", average="macro")
    assert metrics.roc_auc_score(codes, shares) == pytest.approx(expected)


def test_roc_auc_is_none_when_one_class_is_present() -> None:
    shares = np.full((5, 2), 0.5)
    assert metrics.roc_auc_score(np.ones(5, dtype=np.int64), shares) is None
    assert metrics.roc_auc_score(np.full(5, 2), np.full((5, 3), 1 / 3)) is None


def test_roc_auc_of_many_classes_leaves_out_an_absent_one() -> None:
    codes, shares = forecast(3)
    kept = codes != 2
    pair = shares[kept]
    area = metrics.roc_auc_score(codes[kept], pair)
    one = reference.roc_auc_score(codes[kept] == 0, pair[:, 0])
    other = reference.roc_auc_score(codes[kept] == 1, pair[:, 1])
    assert area == pytest.approx((one + other) / 2)


@pytest.mark.parametrize("classes", [2, 3])
def test_log_loss_is_scikit_learns(classes: int) -> None:
    codes, shares = forecast(classes)
    shares = shares / shares.sum(axis=1, keepdims=True)
    assert metrics.log_loss(codes, shares) == pytest.approx(reference.log_loss(codes, shares))


def test_log_loss_of_an_impossible_event_that_happened_is_finite() -> None:
    assert metrics.log_loss(np.array([1]), np.array([[1.0, 0.0]])) == pytest.approx(36.04, abs=0.01)


def test_brier_loss_of_two_classes_is_scikit_learns() -> None:
    codes, shares = forecast(2)
    assert metrics.brier_loss(codes, shares) == pytest.approx(reference.brier_score_loss(codes, shares[:, 1]), abs=1e-3)


def test_brier_loss_of_a_sure_and_wrong_forecast_is_one() -> None:
    assert metrics.brier_loss(np.array([2]), np.array([[1.0, 0.0, 0.0]])) == 1.0


def test_accuracy_score_takes_the_most_probable_class() -> None:
    shares = np.array([[0.2, 0.5, 0.3], [0.6, 0.2, 0.2], [0.1, 0.1, 0.8]])
    assert metrics.accuracy_score(np.array([1, 0, 1]), shares) == pytest.approx(2 / 3)


def test_regression_metrics_are_scikit_learns() -> None:
    draw = np.random.default_rng(3)
    actual = draw.normal(5, 2, 200)
    predicted = actual + draw.normal(0, 1, 200)
    assert metrics.root_mean_squared_error(actual, predicted) == pytest.approx(
        reference.root_mean_squared_error(actual, predicted)
    )
    assert metrics.mean_absolute_error(actual, predicted) == pytest.approx(
        reference.mean_absolute_error(actual, predicted)
    )
    assert metrics.r2_score(actual, predicted) == pytest.approx(reference.r2_score(actual, predicted))


def test_r2_score_is_none_when_the_target_does_not_vary() -> None:
    assert metrics.r2_score(np.ones(3), np.arange(3.0)) is None
