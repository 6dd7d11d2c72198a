"""Decision thresholds: what each goal chooses."""

import numpy as np
import pytest

from pipeline.core.thresholds import Goal, choose_threshold, parse_goal
from pipeline.core.training_errors import InvalidTrainingRequestError, ThresholdGoalError

SHARES = np.array([0.1, 0.2, 0.3, 0.4, 0.6, 0.7, 0.8, 0.9])
POSITIVE = np.array([False, False, True, False, True, False, True, True])


@pytest.mark.parametrize(
    ("text", "goal"),
    [
        ("f1", Goal(kind="f1")),
        ("precision >= 0.9", Goal(kind="precision", least=0.9)),
        ("recall>=1", Goal(kind="recall", least=1.0)),
        ("recall>=.5", Goal(kind="recall", least=0.5)),
        ("cost=fp:1,fn:2.5", Goal(kind="cost", false_positive=1.0, false_negative=2.5)),
    ],
)
def test_goal_is_read(text: str, goal: Goal) -> None:
    assert parse_goal(text) == goal


@pytest.mark.parametrize(
    "text", ["", "F1", "precision>0.9", "precision>=2", "recall>=0", "cost=fp:1", "cost=fp:-1,fn:1"]
)
def test_other_goal_is_refused_and_says_what_is_allowed(text: str) -> None:
    with pytest.raises(InvalidTrainingRequestError, match="threshold_goal must be f1, precision>=X") as caught:
        parse_goal(text)
    assert caught.value.fields["field"] == "threshold_goal"


@pytest.mark.parametrize(
    ("goal", "value", "precision", "recall"),
    [
        # The whole table of cuts was made by hand: rows called positive, of those positive.
        ("f1", 0.25, 4 / 6, 1.0),
        ("precision>=1", 0.75, 1.0, 0.5),
        ("precision>=0.7", 0.5, 0.75, 0.75),
        ("recall>=0.75", 0.5, 0.75, 0.75),
        ("recall>=1", 0.25, 4 / 6, 1.0),
        ("cost=fp:10,fn:1", 0.75, 1.0, 0.5),
        ("cost=fp:1,fn:10", 0.25, 4 / 6, 1.0),
    ],
)
def test_threshold_serves_its_goal(goal: str, value: float, precision: float, recall: float) -> None:
    found = choose_threshold(POSITIVE, SHARES, parse_goal(goal))
    assert (found.value, found.precision, found.recall) == pytest.approx((value, precision, recall))
    called = found.value <= SHARES
    assert (POSITIVE & called).sum() / POSITIVE.sum() == pytest.approx(found.recall)


def test_chosen_threshold_is_the_best_of_all_there_are() -> None:
    draw = np.random.default_rng(5)
    shares = np.round(draw.random(300), 2)
    positive = draw.random(300) < shares
    goal = parse_goal("cost=fp:1,fn:3")
    found = choose_threshold(positive, shares, goal)
    costs = [
        (~positive & (shares >= at)).sum() + 3 * (positive & (shares < at)).sum() for at in np.arange(0.005, 1, 0.01)
    ]
    assert found.cost == pytest.approx(min(costs) / 300)


def test_costs_may_say_that_nobody_or_everybody_is_called() -> None:
    nobody = choose_threshold(POSITIVE, SHARES, parse_goal("cost=fp:1,fn:0"))
    everybody = choose_threshold(POSITIVE, SHARES, parse_goal("cost=fp:0,fn:1"))
    assert nobody.value > 0.9
    assert (nobody.precision, nobody.recall) == (0.0, 0.0)
    assert everybody.recall == 1.0


def test_goal_that_no_threshold_reaches_is_refused_with_the_best() -> None:
    flat = np.array([0.5, 0.5, 0.5])
    with pytest.raises(ThresholdGoalError, match=r"no threshold reaches precision>=0\.9 .* best has 0\.3333") as caught:
        choose_threshold(np.array([True, False, False]), flat, parse_goal("precision>=0.9"))
    assert caught.value.code == "threshold_goal"
