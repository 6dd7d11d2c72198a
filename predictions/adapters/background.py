"""Work beside the answer: a bounded queue and one thread; full means dropped and counted."""

import logging
import os
import queue
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from django.conf import settings
from django.db import connection

logger = logging.getLogger(__name__)
Item = TypeVar("Item")


class BackgroundQueue(Generic[Item]):
    """Does `work` on items in a thread of its own; it can neither delay nor fail who offers them.

    Parameters
    ----------
    work : callable
        Called with one item at a time; what it raises is logged.
    size : callable
        Returns how many items may wait.
    name : str
        What the thread is called.
    """

    def __init__(self, work: Callable[[Item], None], size: Callable[[], int], *, name: str = "shadow") -> None:
        self._work = work
        self._size = size
        self._name = name
        self._forget_process()
        os.register_at_fork(after_in_child=self._forget_process)

    def _forget_process(self) -> None:
        self._items: queue.SimpleQueue[Item | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def offer(self, item: Item) -> bool:
        """Take an item, or say no at once if too many are waiting."""
        if self._items.qsize() >= self._size():
            return False
        self._items.put(item)
        if self._thread is None:
            self._start()
        return True

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while (item := self._items.get()) is not None:
            try:
                self._work(item)
            except Exception:  # the loop must outlive one item
                logger.exception("work beside an answer failed")
        connection.close()

    def close(self) -> None:
        """Do what is waiting and end the thread."""
        thread = self._thread
        if thread is not None:
            self._items.put(None)
            thread.join(timeout=10)
            self._thread = None


def shadow_room() -> int:
    """Return how many requests may wait for the shadow."""
    return int(settings.CONFIG.prediction_log.shadow_queue)
