"""Small drawings of a column, whatever a stored profile holds."""

from features.admin.drawings import HEIGHT, WIDTH, bars_of, trend
from features.models import ColumnProfile, DatasetVersion


def profile(number: int, **fields: object) -> ColumnProfile:
    """Return a column's profile in one version."""
    filled = {"rows": 100, "missing": 0, "distinct": 10, "mean": 1.0, "column": "x", "dtype": "number", **fields}
    return ColumnProfile(dataset_version=DatasetVersion(number=number), **filled)


def test_bins_stand_side_by_side_with_what_they_hold() -> None:
    bars = bars_of({"edges": [0, 1, 2, 3], "counts": [5, 0, 10]})
    assert [bar.title for bar in bars] == ["0 to 1: 5", "1 to 2: 0", "2 to 3: 10"]
    assert [bar.height for bar in bars] == [HEIGHT / 2, 0, HEIGHT]
    assert all(bar.x + bar.width <= WIDTH for bar in bars)


def test_bin_with_one_row_among_a_million_is_seen() -> None:
    assert min(bar.height for bar in bars_of({"edges": [0, 1, 2], "counts": [1, 1_000_000]})) >= 2


def test_values_are_rows_with_their_shares_and_the_rest_is_one() -> None:
    bars = bars_of({"values": list("abcdefgh"), "counts": [8, 7, 6, 5, 4, 3, 2, 1], "other": 64})
    assert [bar.value for bar in bars] == ["a", "b", "c", "d", "e", "other"]
    assert bars[-1].label == "70%"


def test_profile_without_a_histogram_draws_nothing() -> None:
    for histogram in ({}, {"edges": [], "counts": []}, {"edges": [1], "counts": []}, {"values": [], "counts": []}):
        assert bars_of(histogram) == []


def test_line_goes_over_versions_and_marks_what_changed() -> None:
    found = trend("missing", [profile(1), profile(2), profile(5, missing=50)], True)
    assert found is not None
    assert (found.value, found.changed) == ("50.0%", True)
    assert found.summary == "version 1: 0.0%; version 2: 0.0%; version 5: 50.0%"
    xs = [float(point.split(",")[0]) for point in found.points.split()]
    assert xs[1] - xs[0] < xs[2] - xs[1]


def test_column_of_one_version_has_a_dot_and_no_line() -> None:
    found = trend("mean", [profile(3)], False)
    assert found is not None
    assert (found.points, found.value) == ("", "1")


def test_text_has_no_mean_to_draw() -> None:
    assert trend("mean", [profile(1, mean=None)], False) is None
