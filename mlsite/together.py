"""Requests to a slow model that wait on the event loop: those that came while it was asked are answered together."""

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from mlsite.gate import too_many
from predictions import lane
from predictions.actions.predict_together import Question, is_gathered, predict_together
from predictions.adapters.crew import Work, crew, most_in_progress
from predictions.adapters.limits import Decision
from predictions.lane import Environ, Head, Said
from predictions.tokens import Principal

logger = logging.getLogger(__name__)
# What one call is for at most; a thread that answers more keeps the first of them waiting.
MAX_TOGETHER = 128


@dataclass(kw_only=True)
class _Waiting:
    head: Head
    principal: Principal
    decision: Decision | None
    question: Question
    started: float
    answer: "asyncio.Future[Said | None]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Together:
    """The questions to one model; one call at a time, and no timer: who is alone never waits for others."""

    def __init__(self, model: str | None) -> None:
        self._model = model
        self._waiting: deque[_Waiting] = deque()
        self._asked = 0

    async def answer(self, head: Head, principal: Principal, decision: Decision | None, body: bytes) -> Said | None:
        """Return the answer to an ordinary request; None if Django has to say what is wrong with it.

        Raises
        ------
        OverloadedError
            If too many wait already.
        """
        if len(self._waiting) + self._asked >= most_in_progress(Work.PREDICT):
            raise too_many(Work.PREDICT)
        question = Question(body, principal.caller, lane.id_of(head))
        waiting = _Waiting(
            head=head, principal=principal, decision=decision, question=question, started=time.perf_counter()
        )
        self._waiting.append(waiting)
        if not self._asked:
            self._ask()
        return await waiting.answer

    def _ask(self) -> None:
        batch = [self._waiting.popleft() for _ in range(min(MAX_TOGETHER, len(self._waiting)))]
        self._asked = len(batch)
        loop = asyncio.get_running_loop()

        def job() -> Callable[[], None]:
            crew.step_aside()
            found: list[bytes | None] = [None] * len(batch)
            try:
                found = predict_together([each.question for each in batch], model=self._model)
            except Exception:  # each is answered by Django then
                logger.exception("%d requests could not be answered together", len(batch))
            return lambda: _tell(loop, lambda: self._hand_out(batch, found))

        crew.submit(Work.PREDICT, job, always=True)

    def _hand_out(self, batch: list[_Waiting], found: list[bytes | None]) -> None:
        self._asked = 0
        if self._waiting:
            self._ask()
        for each, content in zip(batch, found, strict=True):
            if each.answer.done():
                continue
            said = None if content is None else Said(content, each.question.request_id, each.decision)
            if said is not None:
                lane.note(each.head, said, each.started)
            each.answer.set_result(said)


def _tell(loop: asyncio.AbstractEventLoop, what: Callable[[], None]) -> None:
    # The loop is gone where a process ends before its last call does.
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(what)


class Gatherer:
    """The models that are asked together."""

    def __init__(self) -> None:
        self._models: dict[str | None, Together] = {}

    def takes(self, environ: Environ) -> bool:
        """Tell whether a request may be one to answer together with others."""
        found = lane.head_of(environ) if environ["REQUEST_METHOD"] == "POST" else None
        return found is not None and is_gathered(found.model)

    async def answer(self, environ: Environ, body: bytes) -> tuple[Head, Said] | None:
        """Return the answer to a request to a slow model, if it is ordinary; what was counted is left in `environ`.

        Raises
        ------
        OverloadedError
            If too many wait already.
        """
        if environ["REQUEST_METHOD"] != "POST" or (head := lane.head_of(environ)) is None or head.form != lane.JSON:
            return None
        if not is_gathered(head.model) or not lane.is_counted_at_once() or (principal := lane.caller_of(head)) is None:
            return None
        if (decision := lane.counted(environ, principal)) is not None and not decision.allowed:
            return None
        together = self._models.setdefault(head.model, Together(head.model))
        said = await together.answer(head, principal, decision, body)
        return None if said is None else (head, said)
