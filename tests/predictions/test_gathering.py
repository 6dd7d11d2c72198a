"""Callers of a slow model are scored together, and nobody gets another's answer."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from predictions.adapters.gathering import GatheringRuntime
from predictions.adapters.runtime import MAX_BATCH, Scores
from predictions.core.inputs import Columns
from predictions.errors import ScoringError


class Echo:
    """Answers each row with itself; refuses negative values; can be held up."""

    def __init__(self) -> None:
        self.calls: list[int] = []
        self.gate = threading.Event()
        self.gate.set()

    def score(self, frame: Columns) -> Scores:
        self.gate.wait(30)
        self.calls.append(len(frame["x"]))
        if (frame["x"] < 0).any():
            raise ScoringError(f"refused {frame['x'].tolist()}")
        if (frame["x"] == 666).any():
            raise RuntimeError("a fault of the model")
        return Scores(predictions=frame["name"].tolist(), probabilities=np.column_stack([frame["x"], frame["x"]]))


def frame(values: list[float]) -> Columns:
    names = np.empty(len(values), dtype=object)
    names[:] = [str(value) for value in values]
    return {"x": np.array(values, dtype=float), "name": names}


def asked(runtime: GatheringRuntime, values: list[float]) -> Any:
    try:
        scores = runtime.score(frame(values))
    except (ScoringError, RuntimeError) as error:
        return str(error)
    assert scores.probabilities is not None
    return scores.predictions, scores.probabilities[:, 0].tolist()


def alone(values: list[float]) -> Any:
    if min(values) < 0:
        return f"refused {[float(value) for value in values]}"
    return "a fault of the model" if 666 in values else ([str(value) for value in values], values)


def together(echo: Echo, runtime: GatheringRuntime, questions: list[list[float]]) -> list[Any]:
    """Ask all at once: the model is held up until every question waits."""
    echo.gate.clear()
    with ThreadPoolExecutor(len(questions)) as pool:
        answers = [pool.submit(asked, runtime, question) for question in questions]
        while len(runtime._waiting) < len(questions) - 1:
            threading.Event().wait(0.001)
        echo.gate.set()
        return [answer.result(30) for answer in answers]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.integers(-1, 700).map(float), min_size=1, max_size=5), min_size=2, max_size=8))
def test_everybody_gets_the_answer_to_his_own_question(questions: list[list[float]]) -> None:
    echo = Echo()
    assert together(echo, GatheringRuntime(echo), questions) == [alone(question) for question in questions]


def test_what_waited_is_one_call() -> None:
    echo = Echo()
    together(echo, GatheringRuntime(echo), [[float(number)] for number in range(16)])
    assert len(echo.calls) == 2
    assert sum(echo.calls) == 16


def test_a_caller_who_is_alone_is_one_call_at_once() -> None:
    echo = Echo()
    runtime = GatheringRuntime(echo)
    assert [asked(runtime, [1.0]), asked(runtime, [2.0, 3.0])] == [alone([1.0]), alone([2.0, 3.0])]
    assert echo.calls == [1, 2]


def test_a_row_at_fault_spoils_nobody_elses_answer() -> None:
    echo = Echo()
    answers = together(echo, GatheringRuntime(echo), [[1.0], [-1.0], [2.0], [666.0]])
    assert answers == [alone([1.0]), "refused [-1.0]", alone([2.0]), "a fault of the model"]


def test_no_call_is_much_larger_than_a_batch() -> None:
    echo = Echo()
    together(echo, GatheringRuntime(echo), [[1.0] * 400 for _ in range(8)])
    assert max(echo.calls) < MAX_BATCH + 400


@pytest.mark.parametrize("workers", [8])
def test_many_threads_at_once_are_never_mixed(workers: int) -> None:
    echo = Echo()
    runtime = GatheringRuntime(echo)
    questions = [[float(number), float(number + 1)] for number in range(400)]
    with ThreadPoolExecutor(workers) as pool:
        answers = list(pool.map(lambda question: asked(runtime, question), questions))
    assert answers == [alone(question) for question in questions]
