"""What is compared, without the library that measures."""

import pandas as pd
import pytest

from pipeline.core.drift import ColumnDrift, Verdict, compare, display_names, drift_method, sample

SCHEMA = [{"name": "a", "dtype": "number"}, {"name": "b", "dtype": "string"}]


@pytest.mark.parametrize(
    ("name", "categorical", "limits"),
    [
        ("psi", "psi", (0.2, 0.2)),
        ("ks", "chisquare", (0.05, 0.05)),
        ("wasserstein", "jensenshannon", (0.1, 0.1)),
        ("jensenshannon", "jensenshannon", (0.1, 0.1)),
    ],
)
def test_method_has_customary_limits(name: str, categorical: str, limits: tuple[float, float]) -> None:
    method = drift_method(name, drift_share=0.3)
    assert (method.categorical, (method.threshold, method.categorical_threshold)) == (categorical, limits)


def test_own_threshold_is_not_given_to_another_measure() -> None:
    assert drift_method("psi", drift_share=0.3, threshold=0.5).categorical_threshold == 0.5
    assert drift_method("wasserstein", drift_share=0.3, threshold=0.5).categorical_threshold == 0.1


def test_columns_come_typed_and_unmeasurable_ones_are_listed() -> None:
    reference = pd.DataFrame({"a": ["1", "x", None], "b": [1, 2, None]})
    pair = compare(reference, pd.DataFrame({"a": [float("inf"), 2.0]}), SCHEMA)
    assert pair.numerical == ["a"]
    assert pair.categorical == []
    assert pair.not_measured == ["b"]
    assert pair.reference["a"].tolist()[0] == 1.0
    assert pair.current["a"].isna().tolist() == [True, False]


def test_categories_are_text_on_both_sides() -> None:
    pair = compare(pd.DataFrame({"b": [1, 2]}), pd.DataFrame({"b": ["1", None]}), SCHEMA)
    assert pair.categorical == ["b"]
    assert pair.reference["b"].tolist() == ["1", "2"]


def test_control_characters_are_not_shown_and_names_stay_apart() -> None:
    assert display_names(["a", "b\x00", "b\x1b", "b\ufffd"]) == {
        "a": "a", "b\x00": "b\ufffd (2)", "b\x1b": "b\ufffd (3)", "b\ufffd": "b\ufffd"
    }  # fmt: skip


def test_sample_is_repeatable_and_counts_all() -> None:
    kept, count = sample(iter(range(10_000)), 50)
    assert (len(kept), count) == (50, 10_000)
    assert kept == sample(range(10_000), 50)[0]
    assert kept != sample(range(10_000), 50, seed=1)[0]
    assert sample(range(3), 50) == ([0, 1, 2], 3)
    assert max(kept) > 8000


def test_drift_share_is_of_measured_columns() -> None:
    columns = {"a": ColumnDrift(score=1, drifted=True), "b": ColumnDrift(score=0, drifted=False)}
    assert Verdict(dataset_drift=True, columns=columns, html="", json="").drift_share == 0.5
    assert Verdict(dataset_drift=False, columns={}, html="", json="").drift_share == 0
