"""Observations that are counted later, in bulk: a request only leaves them, without a lock and without a file."""

import math
import os
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt
from prometheus_client import REGISTRY, Counter, Histogram
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

# So many wait at most where nobody counts them in time.
MOST, MOST_ARRAYS = 20_000, 200


Value = TypeVar("Value")


class Noted(ABC, Generic[Value]):
    """Values that wait to be counted."""

    def __init__(self) -> None:
        self._values: deque[Value] = deque()
        self._lock = threading.Lock()
        _all.append(self)

    def note(self, value: Value) -> None:
        """Leave a value."""
        self._values.append(value)
        if len(self._values) > MOST:
            self.count()

    def count(self) -> None:
        """Count what waits."""
        with self._lock:
            values = [self._values.popleft() for _ in range(len(self._values))]
            if values:
                self._count(values)

    @abstractmethod
    def _count(self, values: list[Value]) -> None:
        """Move metrics by what waited."""

    def forget(self) -> None:
        """Drop what a parent process has left and counts itself."""
        self._lock = threading.Lock()
        self._values.clear()


class NotedCounter(Noted[float]):
    """Amounts for a counter."""

    def __init__(self, counter: Counter) -> None:
        super().__init__()
        self._counter = counter

    def inc(self, amount: float = 1) -> None:
        """Leave an amount."""
        self.note(amount)

    def _count(self, values: list[float]) -> None:
        self._counter.inc(sum(values))


class NotedHistogram(Noted[float]):
    """Observations for a histogram."""

    def __init__(self, histogram: Histogram) -> None:
        super().__init__()
        self._histogram = histogram
        self._many: deque[npt.NDArray[np.float64]] = deque()

    def observe(self, value: float) -> None:
        """Leave an observation."""
        self.note(value)

    def observe_all(self, values: npt.NDArray[np.float64] | Sequence[float]) -> None:
        """Leave many."""
        if isinstance(values, np.ndarray):
            self._many.append(values)
        else:
            self._values.extend(values)
        if len(self._values) > MOST or len(self._many) > MOST_ARRAYS:
            self.count()

    def count(self) -> None:
        """Count what waits."""
        super().count()
        with self._lock:
            if waiting := [self._many.popleft() for _ in range(len(self._many))]:
                observe_many(self._histogram, np.concatenate(waiting))

    def forget(self) -> None:
        """Drop what a parent process has left and counts itself."""
        super().forget()
        self._many.clear()

    def _count(self, values: list[float]) -> None:
        observe_many(self._histogram, values)


class NotedRequests(Noted[float]):
    """How long requests took, each of which is counted too."""

    def __init__(self, total: Counter, duration: Histogram) -> None:
        super().__init__()
        self._total, self._duration = total, duration

    def _count(self, values: list[float]) -> None:
        self._total.inc(len(values))
        observe_many(self._duration, values)


class NotedRows(Noted[tuple[float, float, float | None]]):
    """Requests of one row: how long scoring took, how long the request, and the answer's confidence if it has one."""

    def __init__(self, rows: Counter, scoring: Histogram, request: Histogram, confidence: Histogram) -> None:
        super().__init__()
        self._rows, self._scoring, self._request, self._confidence = rows, scoring, request, confidence

    def _count(self, values: list[tuple[float, float, float | None]]) -> None:
        self._rows.inc(len(values))
        scoring, request, confidence = zip(*values, strict=True)
        observe_many(self._scoring, scoring)
        observe_many(self._request, request)
        if known := [value for value in confidence if value is not None]:
            observe_many(self._confidence, known)


def observe_many(histogram: Histogram, values: npt.NDArray[np.float64] | Sequence[float]) -> None:
    """Do what a histogram's `observe` does one by one, each time through all buckets."""
    places = np.bincount(np.searchsorted(histogram._upper_bounds, values))
    for place in np.flatnonzero(places).tolist():
        histogram._buckets[place].inc(int(places[place]))
    histogram._sum.inc(math.fsum(values))


class _First(Collector):
    """Stands first among the collectors, so that whoever reads the metrics finds all of them counted."""

    def collect(self) -> Iterator[Metric]:
        """Count what waits, and have nothing to tell."""
        count_noted()
        return iter(())

    def describe(self) -> Iterator[Metric]:
        """Return nothing."""
        return iter(())


_all: list[Noted[Any]] = []


def count_noted() -> None:
    """Count what waits in this process."""
    for noted in list(_all):
        noted.count()


def _forget() -> None:
    for noted in _all:
        noted.forget()


REGISTRY.register(_First())
os.register_at_fork(after_in_child=_forget)
