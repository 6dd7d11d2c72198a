"""Contributions: exact where they are said to be, an honest estimate elsewhere, and always a sum."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from predictions.adapters.explaining import MAX_ROWS
from predictions.core.explain import Explanation, explain_row, margins
from predictions.core.inputs import Columns
from tests.predictions.dialects import send
from tests.predictions.tiny import staged

Token = Callable[..., str]


def row(**cells: Any) -> Columns:
    return {name: np.array([cell], dtype=object if isinstance(cell, str) else float) for name, cell in cells.items()}


def explained(
    score: Any, cells: Columns, baseline: Columns, additive: bool = False, evaluations: int = 1000
) -> Explanation:
    return explain_row(score, cells, baseline, additive=additive, evaluations=evaluations, seed=7)


def add(frame: Columns) -> Any:
    return 2 * frame["a"] - 3 * frame["b"] + np.where(frame["c"] == "red", 5.0, 0.0)


def multiply(frame: Columns) -> Any:
    return np.prod([frame[name] for name in frame], axis=0)


def test_a_sum_is_taken_apart_exactly() -> None:
    found = explained(add, row(a=1.0, b=4.0, c="red"), row(a=0.0, b=2.0, c="blue"), additive=True)
    assert found == Explanation(method="linear", base=-6.0, output=-5.0, contributions={"a": 2.0, "b": -6.0, "c": 5.0})


def test_what_is_said_to_be_a_sum_and_is_none_is_not_believed() -> None:
    found = explained(multiply, row(a=2.0, b=3.0), row(a=0.0, b=0.0), additive=True)
    assert found.method == "shapley"
    assert found.contributions == pytest.approx({"a": 3.0, "b": 3.0})


def test_a_column_as_in_the_baseline_contributes_nothing_though_it_is_missing() -> None:
    nothing = float("nan")
    found = explained(lambda frame: frame["a"], row(a=3.0, b=nothing), row(a=1.0, b=nothing))
    assert found.contributions == {"a": 2.0, "b": 0.0}
    assert explained(add, *[row(a=1.0, b=1.0, c="x")] * 2).contributions == {"a": 0.0, "b": 0.0, "c": 0.0}


def test_all_coalitions_give_the_textbook_values() -> None:
    # A game of three: worth 1 only if both a and b join, and c adds 0.5 with a.
    def game(frame: Columns) -> Any:
        return frame["a"] * frame["b"] + 0.5 * frame["a"] * frame["c"]

    found = explained(game, row(a=1.0, b=1.0, c=1.0), row(a=0.0, b=0.0, c=0.0))
    assert found.method == "shapley"
    assert found.contributions == pytest.approx({"a": 0.75, "b": 0.5, "c": 0.25})


def test_a_sample_adds_up_and_comes_near_and_is_the_same_each_time() -> None:
    names = [f"x{number}" for number in range(12)]
    rng = np.random.default_rng(3)
    weights = rng.normal(size=12)

    def score(frame: Columns) -> Any:
        cells = np.array([frame[name] for name in names])
        return weights @ cells + cells[0] * cells[1] * 4

    cells, baseline = row(**dict.fromkeys(names, 1.0)), row(**dict.fromkeys(names, 0.0))
    found = explained(score, cells, baseline)
    assert found.method == "shapley_sampling"
    assert sum(found.contributions.values()) == pytest.approx(found.output - found.base)
    wanted = weights + np.where(np.arange(12) < 2, 2.0, 0.0)
    # A permutation and its reverse give an interaction of two its exact share.
    assert list(found.contributions.values()) == pytest.approx(wanted.tolist())
    assert found == explained(score, cells, baseline)


def test_no_more_rows_are_scored_than_allowed() -> None:
    asked = []

    def score(frame: Columns) -> Any:
        asked.append(len(frame["x0"]))
        return multiply(frame)

    names = [f"x{number}" for number in range(40)]
    explained(score, row(**dict.fromkeys(names, 1.5)), row(**dict.fromkeys(names, 1.0)), evaluations=500)
    assert sum(asked) <= 502


def test_margins_are_log_odds_and_finite_at_the_ends() -> None:
    shares = np.array([[0.25, 0.75], [0.0, 1.0]])
    assert margins(shares, 1)[0] == pytest.approx(np.log(3))
    assert np.isfinite(margins(shares, 1)).all()
    three = margins(np.array([[0.2, 0.3, 0.5]]), 2)[0]
    assert three == pytest.approx(np.log(0.5) - np.log([0.2, 0.3, 0.5]).mean())


def test_an_explained_answer_adds_up_to_the_models_own_log_odds(token: Token) -> None:
    staged()
    staged(name="size", regression=True)
    key = token()
    body = b'{"data": [[4.0, 1.5, "blue"], [7.5, null, "red"]]}'
    answer = send(key, "/api/v1/models/tiny/predict?explain=true", body).json()
    assert len(answer["explanations"]) == 2
    for shares, said in zip(answer["probabilities"], answer["explanations"], strict=True):
        assert said["method"] == "linear"
        assert list(said["contributions"]) == ["length", "width", "colour"]
        assert said["output"] == pytest.approx(np.log(max(shares) / min(shares)), rel=1e-5)
        assert sum(said["contributions"].values()) == pytest.approx(said["output"] - said["base"], abs=1e-4)
    sizes = send(key, "/api/v1/models/size/predict?explain=true", body).json()
    assert sizes["predictions"][0] == pytest.approx(sizes["explanations"][0]["output"])
    assert "explanations" not in send(key, "/api/v1/models/tiny/predict?explain=false", body).json()


def test_what_can_not_be_explained_is_refused(token: Token) -> None:
    staged()
    key = token()
    rows = b",".join([b'[4.0, 1.5, "red"]'] * (MAX_ROWS + 1))
    many = send(key, "/api/v1/predict?explain=true", b'{"data": [%b]}' % rows)
    odd = send(key, "/api/v1/predict?explain=maybe", b'{"data": [[4.0, 1.5, "red"]]}')
    form = send(key, "/api/v1/predict?explain=true", b"length,width,colour\n4,1,red\n", "text/csv")
    assert [answer.status_code for answer in (many, odd, form)] == [413, 400, 400]


def test_a_stage_is_asked_by_those_who_promote(token: Token) -> None:
    staged()
    staged("canary", percent=1, seed=1)
    body = b'{"data": [[4.0, 1.5, "red"]]}'
    boss = token("promoter", "pat")
    for stage, number in (("production", 1), ("canary", 2)):
        answer = send(boss, f"/api/v1/models/tiny/stages/{stage}/predict", body).json()
        assert answer["model"] == {"name": "tiny", "version": number, "role": "pinned"}
    for stage in ("shadow", "attic"):
        answer = send(boss, f"/api/v1/models/tiny/stages/{stage}/predict", body)
        assert (answer.status_code, answer.json()["code"]) == (404, "stage_empty")
    assert send(token(), "/api/v1/models/tiny/stages/canary/predict", body).status_code == 403
