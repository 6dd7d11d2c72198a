"""The threads of a web process: few work at a time, and one that is held up is relieved by another.

More threads than one make quick requests slower, since they wait for each other; one alone is held up by whatever is
slow. So as many work as `server.threads` says, and one whose request takes long no longer counts until it is done.
"""

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import ClassVar

from django.db import connections

from features.ground.quick_settings import setting

logger = logging.getLogger(__name__)
TICK_S = 0.02
# Work that takes longer is slow; a busy machine makes quick work look slow, and more threads would make it slower.
WORKING_S = 0.1
# Where so many are held up at once, the work is slow, and nobody waits to see it of each.
MANY_SLOW = 4
# So many threads wait for work beside those that are needed; more end.
SPARE = 4
# It raises nothing; what it returns is called when its request is in progress no longer.
Job = Callable[[], Callable[[], object] | None]


class Work(IntEnum):
    """Kinds of requests that have bounds of their own: whoever waits for the database holds up no prediction."""

    PREDICT = 0
    OTHER = 1


def most_in_progress(work: Work) -> int:
    """Return how many requests of a kind may be in progress."""
    most: int = setting("CONFIG").server.max_in_progress
    return most if work is Work.PREDICT else max(1, most // 2)


class Seat:
    """One thread of the crew; `since` is when its job began, 0.0 between two."""

    __slots__ = ("is_relieved", "since", "turn", "work")

    def __init__(self) -> None:
        self.since = 0.0
        self.work = Work.OTHER
        self.is_relieved = False
        self.turn = threading.Semaphore(0)


class _Here(threading.local):
    seat: "Seat | None" = None


class Crew:
    """The threads of one process, and the jobs that wait for them."""

    _here: ClassVar[_Here] = _Here()

    def __init__(self) -> None:
        self._forget_process()
        os.register_at_fork(after_in_child=self._forget_process)

    def _forget_process(self) -> None:
        self._lock = threading.Lock()
        self._jobs: deque[tuple[Work, Job]] = deque()
        self._in_progress = [0, 0]
        self._seats: set[Seat] = set()
        self._idle: list[Seat] = []
        # Threads that take jobs or have one that is quick so far, and those that were relieved.
        self._on_turn = self._relieved = 0
        self._waits = threading.Event()
        self._watch: threading.Thread | None = None

    def in_progress(self, work: Work) -> int:
        """Return how many requests of a kind are in progress: at work, or waiting for a thread."""
        return self._in_progress[work]

    def submit(self, work: Work, job: Job, *, always: bool = False) -> bool:
        """Have a thread do a job; False, and nothing is done, if too much is in progress and it need not be done."""
        with self._lock:
            if not always and self._in_progress[work] >= most_in_progress(work):
                return False
            self._in_progress[work] += 1
            if always:
                self._jobs.appendleft((work, job))
            else:
                self._jobs.append((work, job))
            self._call_one()
        return True

    def step_aside(self) -> None:
        """Let another thread work at once, before work that is known to be slow."""
        seat = self._here.seat
        if seat is not None:
            with self._lock:
                self._relieve(seat)

    @contextmanager
    def waiting_for_sender(self) -> Iterator[None]:
        """Wait for what a client sends; its request is not in progress meanwhile, for the client decides how long."""
        seat = self._here.seat
        if seat is None:
            yield
            return
        self.step_aside()
        with self._lock:
            self._in_progress[seat.work] -= 1
        try:
            yield
        finally:
            with self._lock:
                self._in_progress[seat.work] += 1

    def _call_one(self) -> None:
        """Have one more thread take jobs, where there are some and fewer take them than may."""
        if not self._jobs:
            return
        if self._on_turn >= setting("CONFIG").server.threads:
            self._look_after()
            return
        self._on_turn += 1
        if self._idle:
            self._idle.pop().turn.release()
        else:
            self._hire()

    def _hire(self) -> None:
        """Have one more thread; where the system gives none now, it is asked again later."""
        seat = Seat()
        try:
            threading.Thread(target=self._run, args=(seat,), name="crew", daemon=True).start()
        except RuntimeError:
            logger.exception("no thread can be started; %d requests wait", len(self._jobs))
            self._on_turn -= 1
            self._look_after()
        else:
            self._seats.add(seat)

    def _relieve(self, seat: Seat) -> None:
        if seat.since and not seat.is_relieved:
            seat.is_relieved = True
            self._on_turn -= 1
            self._relieved += 1
            self._call_one()

    def _run(self, seat: Seat) -> None:
        self._here.seat = seat
        while True:
            with self._lock:
                taken = self._take(seat)
                if taken is None and not self._rests(seat):
                    break
            if taken is None:
                seat.turn.acquire()
                continue
            self._do(*taken)
        connections.close_all()

    def _do(self, work: Work, job: Job) -> None:
        last = None
        try:
            last = job()
        except Exception:  # a thread outlives a job that breaks its word
            logger.exception("a request ended without an answer")
        with self._lock:
            self._in_progress[work] -= 1
        # The caller may ask again at once, and finds room then.
        if last is not None:
            last()

    def _take(self, seat: Seat) -> tuple[Work, Job] | None:
        """Return the next job of a thread, or None if it has to rest."""
        seat.since = 0.0
        if seat.is_relieved:
            seat.is_relieved = False
            self._relieved -= 1
            if self._on_turn >= setting("CONFIG").server.threads:
                return None
            self._on_turn += 1
        if not self._jobs:
            self._on_turn -= 1
            return None
        seat.since = time.perf_counter()
        taken = self._jobs.popleft()
        seat.work = taken[0]
        if self._relieved >= MANY_SLOW:
            self._relieve(seat)
        return taken

    def _rests(self, seat: Seat) -> bool:
        """Tell whether a thread rests; it ends otherwise, as enough do."""
        if len(self._idle) >= SPARE:
            self._seats.discard(seat)
            return False
        self._idle.append(seat)
        return True

    def _look_after(self) -> None:
        """Watch for threads that are held up while jobs wait."""
        self._waits.set()
        if self._watch is None:
            self._watch = threading.Thread(target=self._relieve_held_up, name="crew-watch", daemon=True)
            self._watch.start()

    def _relieve_held_up(self) -> None:
        while True:
            self._waits.wait()
            time.sleep(TICK_S)
            with self._lock:
                late = time.perf_counter() - WORKING_S
                for seat in tuple(self._seats):
                    if seat.since and seat.since < late:
                        self._relieve(seat)
                self._call_one()
                if not self._jobs:
                    self._waits.clear()


crew = Crew()
