"""The consumer loop: poll, answer, commit; the same for every source."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from features.ground.progress import Report, silent
from pipeline.actions.answer_messages import answer_messages, who_answers
from pipeline.actions.note_consumer import beat_consumer, begin_consumer, end_consumer
from pipeline.adapters.processes import worker_name
from pipeline.core.streaming import Consumed, Message, Source
from pipeline.errors import InvalidStreamError, StreamInterruptedError

logger = logging.getLogger(__name__)
POLL_ROWS = 500
IDLE_SLEEP_S = 0.1
MOST_FAILURES = 6
LONGEST_PAUSE_S = 10.0
REPORT_EVERY_S = 1.0
BEAT_EVERY_S = 5.0


def _never() -> bool:
    return False


@dataclass(frozen=True, kw_only=True, slots=True)
class ConsumeRequest:
    """What a consumer does.

    Parameters
    ----------
    model : str
        `MODEL`, whoever serves it, or `MODEL@N`.
    actor : str
        Who asks, recorded with each prediction.
    max_messages : int, optional
        Stop after so many.
    until_idle_s : float, optional
        Stop after so many seconds without a message; 0 stops at the end of what is there. Never if None.
    poll_rows : int
        Most messages scored in one call.
    """

    model: str
    actor: str
    max_messages: int | None = None
    until_idle_s: float | None = None
    poll_rows: int = POLL_ROWS


def consume(
    source: Source, request: ConsumeRequest, *, stop: Callable[[], bool] = _never, report: Report = silent
) -> Consumed:
    """Score a stream until it is idle, long enough, or told to stop.

    Parameters
    ----------
    source : Source
        Where messages come from and answers go to.
    request : ConsumeRequest
        What to do with them.
    stop : callable
        Asked between polls; a poll that has begun is finished and committed.
    report : Report
        Takes a percent, always 0 for a stream without an end, and a step.

    Returns
    -------
    Consumed
        Counts of what was committed.

    Raises
    ------
    InvalidStreamError
        If a limit is out of range.
    ModelNotReadyError
        If nobody can answer.
    SlotTakenError
        If another consumer has taken this one's place.
    StreamInterruptedError
        If the broker failed again and again.
    """
    _check(request)
    # Asked before the first poll: a stream nobody can answer is not touched.
    who_answers(request.model, [], UUID(int=0))
    loop = _Loop(source, request, stop, report)
    if request.until_idle_s is not None or request.max_messages is not None:
        return loop.run()
    # Nobody waits for its end: health says how it is.
    name, worker = source.name, worker_name()
    begin_consumer(name, model=request.model, worker=worker)
    try:
        done = loop.run(beat=lambda: beat_consumer(name, worker=worker, lag=source.lag(), committed=loop.committed))
    except BaseException as error:
        end_consumer(name, worker=worker, error=f"{type(error).__name__}: {error}")
        raise
    end_consumer(name, worker=worker)
    return done


def _check(request: ConsumeRequest) -> None:
    if request.max_messages is not None and request.max_messages < 1:
        raise InvalidStreamError(f"max messages must be at least 1; got {request.max_messages}")
    if request.until_idle_s is not None and not 0 <= request.until_idle_s <= 86_400:
        raise InvalidStreamError(f"until idle must be 0 to 86400 seconds; got {request.until_idle_s}")


class _Loop:
    def __init__(self, source: Source, request: ConsumeRequest, stop: Callable[[], bool], report: Report) -> None:
        self._source, self._request, self._stop, self._report = source, request, stop, report
        self._scored = self._dead = self._failures = 0
        self._last_at = time.monotonic()
        self._reported_at = 0.0

    @property
    def committed(self) -> int:
        return self._scored + self._dead

    def run(self, beat: Callable[[], None] = lambda: None) -> Consumed:
        beaten_at = 0.0
        while not self._stop() and (limit := self._limit()) > 0:
            if time.monotonic() - beaten_at >= BEAT_EVERY_S:
                beaten_at = time.monotonic()
                beat()
            try:
                if not self._step(limit):
                    break
                self._failures = 0
            except StreamInterruptedError as error:
                self._go_back(error)
        count = self.committed
        return Consumed(in_=count, scored=self._scored, dead_letters=self._dead, committed=count)

    def _step(self, limit: int) -> bool:
        """Do one poll; False if the stream is over."""
        messages = self._source.poll(limit)
        over = not messages and self._idle()
        if over:
            messages = self._source.drain()
        if messages:
            self._handle(messages)
        elif not over:
            time.sleep(IDLE_SLEEP_S)
        return not over

    def _handle(self, messages: list[Message]) -> None:
        answers = answer_messages(self._request.model, messages, actor=self._request.actor)
        self._source.commit(answers)
        dead = sum(answer.dead for answer in answers)
        self._dead += dead
        self._scored += len(answers) - dead
        self._last_at = time.monotonic()
        if self._last_at - self._reported_at >= REPORT_EVERY_S:
            self._reported_at = self._last_at
            self._report(0, f"{self._scored} scored, {self._dead} dead letters")

    def _limit(self) -> int:
        most = self._request.max_messages
        left = self._request.poll_rows if most is None else most - self._scored - self._dead
        return min(left, self._request.poll_rows)

    def _idle(self) -> bool:
        if not self._source.ready:
            self._last_at = time.monotonic()
            return False
        patience = self._request.until_idle_s
        return patience is not None and time.monotonic() - self._last_at >= patience

    def _go_back(self, error: StreamInterruptedError) -> None:
        while True:
            self._failures += 1
            if self._failures > MOST_FAILURES or self._stop():
                raise error
            logger.warning("stream interrupted, going back to what was committed: %s", error.message)
            time.sleep(min(2.0 ** (self._failures - 1), LONGEST_PAUSE_S))
            try:
                return self._source.recover()
            except StreamInterruptedError as again:
                error = again
