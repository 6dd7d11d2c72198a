"""Which rows are learnt from and which are judged."""

import numpy as np
import pytest

from pipeline.core.splits import random_split, time_split
from pipeline.core.training_errors import EmptySplitError


def days(*numbers: int | None) -> np.ndarray:
    return np.array(
        [
            np.datetime64("NaT", "D") if n is None else np.datetime64("2013-01-01") + np.timedelta64(n, "D")
            for n in numbers
        ]
    )


def test_time_split_tests_on_the_latest_rows_whatever_their_order() -> None:
    split = time_split(days(9, 0, 5, 1, 7, 2, 8, 3, 6, 4), 0.2)
    assert split.test.tolist() == [0, 6]
    assert split.train.tolist() == [1, 2, 3, 4, 5, 7, 8, 9]
    assert split.cut == np.datetime64("2013-01-09")
    assert split.left_out == 0


def test_time_split_keeps_rows_of_one_moment_together() -> None:
    split = time_split(days(0, 0, 1, 1, 1, 1), 0.2)
    assert split.train.tolist() == [0, 1]
    assert split.test.tolist() == [2, 3, 4, 5]


def test_time_split_leaves_out_rows_without_a_time() -> None:
    split = time_split(days(0, None, 1), 0.5)
    assert (split.train.tolist(), split.test.tolist(), split.left_out) == ([0], [2], 1)


def test_time_split_leaves_out_labels_not_yet_known_at_the_cut() -> None:
    split = time_split(days(0, 1, 2, 3, 4), 0.2, known_at=days(0, 9, 2, None, 5))
    assert split.train.tolist() == [0, 2, 3]
    assert split.left_out == 1


def test_time_split_is_refused_when_there_is_one_moment() -> None:
    with pytest.raises(EmptySplitError, match="rows at two moments or more, got 1; use --split random"):
        time_split(days(3, 3, 3), 0.2)


def test_time_split_is_refused_when_no_label_was_known_in_time() -> None:
    with pytest.raises(EmptySplitError, match="no label of a row before 2013-01-03 was known by then"):
        time_split(days(0, 1, 2), 0.2, known_at=days(9, 9, 9))


def test_random_split_keeps_each_class_in_its_share() -> None:
    classes = np.array(["rare"] * 10 + ["common"] * 90)
    split = random_split(100, 0.2, 0, classes)
    assert (classes[split.test] == "rare").sum() == 2
    assert len(split.test) == 20
    assert sorted([*split.train, *split.test]) == list(range(100))


def test_random_split_is_the_same_for_the_same_seed_and_another_for_another() -> None:
    first, again, other = (random_split(100, 0.3, seed) for seed in (5, 5, 6))
    assert first.test.tolist() == again.test.tolist()
    assert first.test.tolist() != other.test.tolist()


def test_random_split_keeps_the_only_row_of_a_class_for_training() -> None:
    split = random_split(11, 0.5, 0, np.array([0] * 10 + [1]))
    assert 10 in split.train


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_random_split_is_refused_when_rows_are_too_few(rows: int) -> None:
    with pytest.raises(EmptySplitError, match=f"{rows} rows are too few to keep 0.1 of them"):
        random_split(rows, 0.1, 0)
