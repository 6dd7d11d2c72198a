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
from predictions.adapters.pace import Pace

TICK_S = 0.02
# After so many ticks it is looked whether requests queue.
PACE_TICKS = 5
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


PREDICT, OTHER = Work


def most_in_progress(work: Work) -> int:
    """Return how many requests of a kind may be in progress."""
    most: int = setting("CONFIG").server.max_in_progress
    return most if work is PREDICT else max(1, most // 2)


class Seat:
    """One thread of the crew; `since` is when its request began, 0.0 between two."""

    __slots__ = ("is_reading", "since", "thread", "turn", "work")

    def __init__(self) -> None:
        self.since = 0.0
        self.thread = threading.get_native_id()
        self.work = OTHER
        # Waits for a body: it is not counted as in progress then, for the sender decides how long that takes.
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

    A request only leaves its beginning and its end at its thread's seat. What it would have to be counted for is
    counted when it matters: where so many threads are awake that a bound can be near, and by whoever watches.

    Attributes
    ----------
    seats : set of Seat
        All threads that have had a request.
    """

    _here: ClassVar[_Here] = _Here()

    def __init__(self) -> None:
        self._forget_process()
        os.register_at_fork(after_in_child=self._forget_process)

    def _forget_process(self) -> None:
        self.seats: set[Seat] = set()
        # Who was relieved, and of these whoever was at work, not reading.
        self._relieved: set[Seat] = set()
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
        return self._here.seat or self._take_seat()

    def _take_seat(self) -> Seat:
        here = self._here
        here.seat = seat = Seat()
        here.holder = _Holder(self, seat)
        self.seats.add(seat)
        return seat

    def enter(self, seat: Seat, work: Work) -> None:
        """Begin a request."""
        seat.work = work
        seat.since = time.perf_counter()
        if len(self._slow) >= MANY_SLOW:
            # Somebody must listen all the same, if only to refuse.
            self._relieve(seat)

    def leave(self, seat: Seat) -> bool:
        """End a request; tell whether more are on turn than need be, so that this one may rest."""
        seat.since = 0.0
        if seat in self._relieved:
            with self._lock:
                self._relieved.discard(seat)
                self._slow.discard(seat)
        return self.is_crowded

    @property
    def is_crowded(self) -> bool:
        """Tell whether more threads are on turn than need be: may be given a request, or have a quick one."""
        return len(self.seats) - len(self._resting) - len(self._relieved) > self._most

    @property
    def on_turn(self) -> set[Seat]:
        """Return whoever may be given a request, or has a quick one."""
        return self.seats.difference(self._relieved, self._resting)

    @property
    def is_near_bounds(self) -> bool:
        """Tell whether so many threads are awake that there may be more requests than are let in."""
        server = setting("CONFIG").server
        awake = len(self.seats) - len(self._resting)
        return bool(awake > server.max_in_progress // 2 or awake > server.max_slow_senders)

    def in_progress(self, work: Work) -> int:
        """Return how many requests of a kind are in progress, their bodies being there."""
        return sum(1 for seat in tuple(self.seats) if seat.since and not seat.is_reading and seat.work is work)

    def reading(self) -> int:
        """Return how many have waited for a body so long that they were relieved; a quick sender is none of them."""
        return sum(1 for seat in tuple(self._relieved) if seat.is_reading)

    def end_reading(self, seat: Seat) -> bool:
        """Have read a body; tell whether there is room to work on it, for which who sent it slowly waits."""
        seat.is_reading = False
        if not self.is_near_bounds:
            return True
        # Counted first and looked at then: of two that come at once, each sees the other.
        began, most = time.perf_counter(), most_in_progress(seat.work)
        is_slow = began - seat.since > READING_S
        while self.in_progress(seat.work) > most:
            seat.is_reading = True
            if not is_slow or time.perf_counter() - began > ROOM_S:
                return False
            time.sleep(TICK_S)
            seat.is_reading = False
        return True

    def step_aside(self) -> None:
        """Let another listen at once, before work that is known to be slow."""
        seat = self._here.seat
        if seat is not None and seat.since and seat not in self._relieved:
            self._relieve(seat)

    def rest(self, seat: Seat) -> None:
        """Wait until another is held up."""
        with self._lock:
            if not self.is_crowded:
                return
            self._resting.append(seat)
        connections.close_all()
        seat.turn.acquire()

    def gone(self, seat: Seat) -> None:
        """Give the turn of a thread that has ended to another."""
        with self._lock:
            for seats in (self.seats, self._relieved, self._slow):
                seats.discard(seat)
            self._wake_one()

    def _relieve(self, seat: Seat) -> None:
        with self._lock:
            self._relieved.add(seat)
            if not seat.is_reading:
                self._slow.add(seat)
            self._wake_one()

    def _wake_one(self) -> None:
        """Let one listen that rests, where fewer are on turn than need be."""
        if self._resting and len(self.seats) - len(self._resting) - len(self._relieved) < self._most:
            self._resting.pop().turn.release()

    def _relieve_held_up(self) -> None:
        pace, ticks = Pace(), 0
        while True:
            time.sleep(TICK_S)
            now, ticks = time.perf_counter(), ticks + 1
            for seat in tuple(self.seats - self._relieved):
                since = seat.since
                if since and now - since > (READING_S if seat.is_reading else WORKING_S):
                    self._relieve(seat)
            if ticks % PACE_TICKS == 0:
                pace.look([seat.thread for seat in self.on_turn], {seat.thread for seat in tuple(self.seats)})


crew = Crew()
