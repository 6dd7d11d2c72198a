"""One rule for test part, validation part and folds."""

from typing import Any

import numpy as np
import pytest

from pipeline.core.split_rule import SplitRule
from pipeline.core.splits import group_split
from pipeline.core.training_errors import EmptySplitError

ROWS = np.arange(200)
DRAW = np.random.default_rng(3)
GROUPS = DRAW.integers(0, 23, 200)
CLASSES = DRAW.random(200) < 0.3
TIMES = np.datetime64("2013-01-01", "us") + DRAW.integers(0, 60, 200) * np.timedelta64(1, "D")


def rule(kind: Any, **data: Any) -> SplitRule:
    return SplitRule(kind=kind, size=0.25, seed=4, **data)


RULES = [
    rule("random", classes=CLASSES),
    rule("group", classes=CLASSES, groups=GROUPS),
    rule("time", classes=CLASSES, times=TIMES),
]


@pytest.mark.parametrize("made", RULES, ids=lambda made: made.kind)
def test_validation_part_is_cut_from_training_rows_by_the_same_rule(made: SplitRule) -> None:
    outer = made.cut(ROWS)
    inner = made.cut(outer.train)
    parts = [set(part.tolist()) for part in (inner.train, inner.test, outer.test)]
    assert set.union(*parts) == set(ROWS.tolist())
    assert sum(map(len, parts)) == 200
    if made.kind == "group":
        held = [set(GROUPS[sorted(part)].tolist()) for part in parts]
        assert not (held[0] & held[1] | held[0] & held[2] | held[1] & held[2])
    if made.kind == "time":
        assert TIMES[inner.train].max() < TIMES[inner.test].min() <= TIMES[inner.test].max() < TIMES[outer.test].min()
    if made.kind == "random":
        assert [CLASSES[sorted(part)].mean() for part in parts] == pytest.approx([CLASSES.mean()] * 3, abs=0.02)


@pytest.mark.parametrize("made", RULES[:2], ids=lambda made: made.kind)
def test_each_row_is_judged_in_one_fold(made: SplitRule) -> None:
    folds = made.folds(ROWS[:150], 5)
    judged = np.concatenate([fold.test for fold in folds])
    assert sorted(judged.tolist()) == ROWS[:150].tolist()
    assert all(not set(fold.train) & set(fold.test) for fold in folds)
    if made.kind == "group":
        assert all(not set(GROUPS[fold.train]) & set(GROUPS[fold.test]) for fold in folds)


def test_time_folds_learn_from_the_past_only() -> None:
    folds = RULES[2].folds(ROWS, 4)
    assert len(folds) == 4
    assert all(TIMES[fold.train].max() < TIMES[fold.test].min() for fold in folds)
    judged = np.concatenate([fold.test for fold in folds])
    assert len(set(judged.tolist())) == len(judged)
    assert [len(fold.train) for fold in folds] == sorted(len(fold.train) for fold in folds)


def test_time_folds_leave_out_labels_that_were_not_known_yet() -> None:
    known_at = TIMES.copy()
    known_at[np.datetime64("2013-01-03") > TIMES] = np.datetime64("2014-01-01")
    folds = rule("time", times=TIMES, known_at=known_at).folds(ROWS, 3)
    assert all((known_at[fold.train] < fold.cut).all() for fold in folds)


def test_seed_decides_groups_and_folds() -> None:
    first, again = (group_split(GROUPS, 0.3, 7) for _ in range(2))
    assert first.test.tolist() == again.test.tolist()
    assert group_split(GROUPS, 0.3, 8).test.tolist() != first.test.tolist()
    assert len(first.test) == pytest.approx(60, abs=12)


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (rule("random"), "3 rows are too few for 5 folds; give a smaller cv"),
        (rule("group", groups=np.array([1, 1, 2])), "2 groups are too few for 5 folds"),
        (rule("time", times=TIMES[:3]), "3 moments are too few for 5 folds"),
    ],
    ids=["rows", "groups", "moments"],
)
def test_more_folds_than_there_is_to_cut_are_refused(made: SplitRule, text: str) -> None:
    with pytest.raises(EmptySplitError, match=text):
        made.folds(ROWS[:3], 5)


def test_one_group_can_not_be_split() -> None:
    with pytest.raises(EmptySplitError, match="a group split needs two groups or more, got 1; use --split random"):
        group_split(np.zeros(9, dtype=np.int64), 0.2, 0)
