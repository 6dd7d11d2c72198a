"""Calibration curve and its error."""

import numpy as np
import pytest

from pipeline.core.metrics_calibration import CalibrationCurve, calibration_curve, expected_calibration_error


def two(positive: list[float]) -> np.ndarray:
    return np.column_stack([1 - np.array(positive), positive])


def test_curve_of_two_classes_bins_the_second_ones_probability() -> None:
    curve = calibration_curve(np.array([0, 1, 1, 1]), two([0.12, 0.18, 0.94, 1.0]))
    assert curve.count == (2, 2)
    assert curve.predicted == pytest.approx((0.15, 0.97))
    assert curve.observed == (0.5, 1.0)


def test_curve_of_three_classes_bins_the_most_probable_ones() -> None:
    shares = np.array([[0.7, 0.2, 0.1], [0.1, 0.76, 0.14]])
    curve = calibration_curve(np.array([0, 2]), shares)
    assert curve.count == (2,)
    assert curve.predicted == pytest.approx((0.73,))
    assert curve.observed == (0.5,)


def test_error_is_the_distance_weighted_by_rows() -> None:
    curve = CalibrationCurve(predicted=(0.1, 0.9), observed=(0.3, 0.9), count=(30, 10))
    assert expected_calibration_error(curve) == pytest.approx(0.15)


def test_error_is_small_when_forecasts_come_true_as_often_as_said() -> None:
    draw = np.random.default_rng(0)
    share = draw.random(50_000)
    codes = (draw.random(50_000) < share).astype(np.int64)
    assert expected_calibration_error(calibration_curve(codes, two(share.tolist()))) < 0.01
