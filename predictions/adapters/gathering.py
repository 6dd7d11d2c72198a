"""One call of a slow model for all who wait: what came while the last call ran is scored together."""

import threading
from collections import deque
from collections.abc import Sequence

import numpy as np

from predictions.adapters.crew import crew
from predictions.adapters.runtime import MAX_BATCH, Runtime, Scores
from predictions.core.inputs import Columns


class _Question:
    """The rows of one caller, and what became of them."""

    __slots__ = ("error", "frame", "rows", "scores")

    def __init__(self, frame: Columns) -> None:
        self.frame = frame
        self.rows = len(next(iter(frame.values())))
        self.scores: Scores | None = None
        self.error: Exception | None = None

    @property
    def is_answered(self) -> bool:
        return self.scores is not None or self.error is not None

    def result(self) -> Scores:
        if self.error is not None:
            raise self.error
        assert self.scores is not None  # noqa: S101 (whoever gathered it has answered it)
        return self.scores


class GatheringRuntime:
    """Ask a runtime from several threads; no timer, so that a caller who is alone never waits.

    Whoever gets the turn scores all that wait; the others find their answer there when the turn is theirs.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._turn = threading.Lock()
        self._waiting: deque[_Question] = deque()

    def score(self, frame: Columns) -> Scores:
        """Return one prediction per row, or raise what the runtime says to these very values."""
        question = _Question(frame)
        self._waiting.append(question)
        crew.step_aside()
        with self._turn:
            while not question.is_answered:
                self._answer(self._gathered())
        return question.result()

    def score_all(self, frames: Sequence[Columns]) -> list[Scores | Exception]:
        """Return what `score` would for each; what it would raise stands in the list."""
        questions = [_Question(frame) for frame in frames]
        self._waiting.extend(questions)
        with self._turn:
            while not all(question.is_answered for question in questions):
                self._answer(self._gathered())
        return [question.error or question.result() for question in questions]

    def _gathered(self) -> list[_Question]:
        batch, rows = [self._waiting.popleft()], 0
        while self._waiting and (rows := rows + batch[-1].rows) < MAX_BATCH:
            batch.append(self._waiting.popleft())
        return batch

    def _answer(self, batch: list[_Question]) -> None:
        if len(batch) > 1:
            names = batch[0].frame
            whole = {name: np.concatenate([question.frame[name] for question in batch]) for name in names}
            try:
                _hand_out(batch, self._runtime.score(whole))
                return
            except Exception:  # noqa: BLE001, S110 (somebody's values are at fault: each is asked alone below)
                pass
        for question in batch:
            try:
                question.scores = self._runtime.score(question.frame)
            except Exception as error:  # noqa: BLE001 (it is raised again for the caller it belongs to)
                question.error = error


def _hand_out(batch: list[_Question], scores: Scores) -> None:
    start = 0
    for question in batch:
        part = slice(start, start + question.rows)
        shares = None if scores.probabilities is None else scores.probabilities[part]
        question.scores = Scores(predictions=scores.predictions[part], probabilities=shares)
        start += question.rows
