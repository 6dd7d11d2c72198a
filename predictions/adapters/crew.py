"""Whose turn it is among the threads of a web process: a few work, one listens, the rest wait aside.

More threads than one make quick requests slower, since they wait for each other; one thread alone is held by
whoever sends a body slowly. So the threads that may take a request are as few as `server.threads`, and a thread that
is held up, by a slow sender or by slow work, is relieved by another until it is done.
"""

import os
import threading
import time
from enum import IntEnum
from typing import ClassVar

from django.conf import settings
from django.db import connections

from features.ground.quick_settings import setting

TICK_S = 0.02
# A body that is not there by then is sent slowly.
READING_S = 0.02
# Work that takes longer is slow; a busy machine makes quick work look slow, and more threads would make it slower.
WORKING_S = 0.1
# How long who sent slowly waits for those who were let in meanwhile.
ROOM_S = 10.0
# Where so many are held up by their work at once, the work is slow, and nobody waits to see it of each.
MANY_SLOW = 4
# Threads that are there beyond what may be held up, so that refusals and health are always answered.
SPARE = 2


def pool_size() -> int:
    """Return how many threads a web process needs: all that may be held up at once, and some that answer."""
    server = settings.CONFIG.server
    return server.threads + sum(most_in_progress(work) for work in Work) + server.max_slow_senders + SPARE


class Work(IntEnum):
    """Kinds of requests that have bounds of their own: whoever waits for the database holds up no prediction."""

    PREDICT = 0
    OTHER = 1


def most_in_progress(work: Work) -> int:
    """Return how many requests of a kind may be in progress."""
    most: int = setting("CONFIG").server.max_in_progress
    return most if work is Work.PREDICT else max(1, most // 2)


class Seat:
    """One thread of the crew; `since` is when its request began, 0.0 between two."""

    __slots__ = ("is_reading", "since", "turn", "work")

    def __init__(self) -> None:
        self.since = 0.0
        self.work = Work.OTHER
        self.is_reading = False
        self.turn = threading.Semaphore(0)


class _Here(threading.local):
    """The seat of the thread at hand; it is given up when the thread ends."""

    seat: "Seat | None" = None
    holder: "_Holder | None" = None


class _Holder:
    def __init__(self, crew: "Crew", seat: Seat) -> None:
        self._crew, self._seat = crew, seat

    def __del__(self) -> None:
        self._crew.gone(self._seat)


class Crew:
    """The threads of one process, told apart by what they do.

    Attributes
    ----------
    working : list of set of Seat
        By kind of work, those with a request whose body is there: what a limit on requests in progress counts.
    reading : set of Seat
        Those that read a body.
    """

    _here: ClassVar[_Here] = _Here()

    def __init__(self) -> None:
        self._forget_process()
        os.register_at_fork(after_in_child=self._forget_process)

    def _forget_process(self) -> None:
        self.working: list[set[Seat]] = [set() for _ in Work]
        self.reading: set[Seat] = set()
        # Who may be given a request, or has a quick one.
        self._on_turn: set[Seat] = set()
        # Who was relieved at work, not while reading.
        self._slow: set[Seat] = set()
        self._resting: list[Seat] = []
        self._lock = threading.Lock()
        self._watch: threading.Thread | None = None
        self._most = 1

    def start(self) -> None:
        """Watch for threads that are held up."""
        with self._lock:
            self._most = settings.CONFIG.server.threads
            if self._watch is None:
                self._watch = threading.Thread(target=self._relieve_held_up, name="crew", daemon=True)
                self._watch.start()

    def seat(self) -> Seat:
        """Return the seat of this thread."""
        here = self._here
        if here.seat is None:
            here.seat = Seat()
            here.holder = _Holder(self, here.seat)
        return here.seat

    def enter(self, seat: Seat, work: Work) -> None:
        """Begin a request."""
        seat.since, seat.work = time.perf_counter(), work
        self.working[work].add(seat)
        self._on_turn.add(seat)
        if len(self._slow) >= MANY_SLOW:
            # Somebody must listen all the same, if only to refuse.
            self._relieve(seat)

    def leave(self, seat: Seat) -> bool:
        """End a request; tell whether more are on turn than need be, so that this one may rest."""
        seat.since = 0.0
        self.working[seat.work].discard(seat)
        self._slow.discard(seat)
        self._on_turn.add(seat)
        return self.is_crowded

    @property
    def is_crowded(self) -> bool:
        """Tell whether more threads are on turn than need be."""
        return len(self._on_turn) > self._most

    def begin_reading(self, seat: Seat) -> None:
        """Read a body: the sender decides how long that takes."""
        self.working[seat.work].discard(seat)
        seat.is_reading = True
        self.reading.add(seat)

    def end_reading(self, seat: Seat) -> bool:
        """Have read a body; tell whether there is room to work on it, for which who sent it slowly waits."""
        seat.is_reading = False
        self.reading.discard(seat)
        working, most = self.working[seat.work], most_in_progress(seat.work)
        # Counted first and looked at then: of two that come at once, each sees the other.
        working.add(seat)
        began = time.perf_counter()
        is_slow = began - seat.since > READING_S
        while len(working) > most:
            working.discard(seat)
            if not is_slow or time.perf_counter() - began > ROOM_S:
                return False
            time.sleep(TICK_S)
            working.add(seat)
        return True

    def step_aside(self) -> None:
        """Let another listen at once, before work that is known to be slow."""
        seat = self._here.seat
        if seat is not None and seat.since and seat in self._on_turn:
            self._relieve(seat)

    def rest(self, seat: Seat) -> None:
        """Wait until another is held up."""
        with self._lock:
            if len(self._on_turn) <= self._most:
                return
            self._on_turn.discard(seat)
            self._resting.append(seat)
        connections.close_all()
        seat.turn.acquire()

    def gone(self, seat: Seat) -> None:
        """Give the turn of a thread that has ended to another."""
        self._relieve(seat, slow=False)

    def _relieve(self, seat: Seat, *, slow: bool = True) -> None:
        with self._lock:
            self._on_turn.discard(seat)
            if slow and not seat.is_reading:
                self._slow.add(seat)
            if len(self._on_turn) < self._most and self._resting:
                other = self._resting.pop()
                self._on_turn.add(other)
                other.turn.release()

    def _relieve_held_up(self) -> None:
        while True:
            time.sleep(TICK_S)
            now = time.perf_counter()
            for seat in tuple(self._on_turn):
                if seat.since and now - seat.since > (READING_S if seat.is_reading else WORKING_S):
                    self._relieve(seat)


crew = Crew()
