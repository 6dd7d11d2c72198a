"""Keep asking a served model from several threads, and hold every answer to what its version says."""

import logging
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from models_store.adapters.served import Served

logger = logging.getLogger(__name__)
THREADS = 2
HELD_BACK_S = 0.5


class Load:
    """Asks rows in turn until the block ends; counts answers, failures and answers that their version never gave."""

    def __init__(self, served: Served, rows: Sequence[Sequence[Any]], expected: Mapping[int, Sequence[Any]]) -> None:
        self._served, self._rows, self._expected = served, rows, expected
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(start,), daemon=True) for start in range(THREADS)]
        self.by_version: Counter[int] = Counter()
        self.failed = self.wrong = self.held_back = 0
        self.first_fault = ""

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def wait_for(self, version: int, timeout_s: float) -> float | None:
        """Wait until a version has answered once more, and return the seconds it took; None if it never did."""
        started, before = time.perf_counter(), self.by_version[version]
        with self._changed:
            answered = self._changed.wait_for(lambda: self.by_version[version] > before, timeout_s)
        return time.perf_counter() - started if answered else None

    def _run(self, number: int) -> None:
        while not self._stop.is_set():
            self._ask(number % len(self._rows))
            number += 1
            self._stop.wait(self._served.pause_s)

    def _ask(self, row: int) -> None:
        try:
            said = self._served.ask(self._rows[row])
        except Exception as error:  # whatever befalls one request is counted, and the next one is sent
            logger.warning("a request failed under load", exc_info=True)
            self._count(fault=f"{type(error).__name__}: {error}", failed=1)
            return
        if said.held_back:
            self._count(held_back=1)
            self._stop.wait(HELD_BACK_S)
        elif said.version in self._expected and said.answer == self._expected[said.version][row]:
            self._count(version=said.version)
        else:
            self._count(version=said.version, wrong=1, fault=f"row {row}: version {said.version} said {said.answer}")

    def _count(
        self, *, version: int | None = None, failed: int = 0, wrong: int = 0, held_back: int = 0, fault: str = ""
    ) -> None:
        with self._changed:
            self.failed += failed
            self.wrong += wrong
            self.held_back += held_back
            self.first_fault = self.first_fault or fault
            if version is not None:
                self.by_version[version] += 1
            self._changed.notify_all()
