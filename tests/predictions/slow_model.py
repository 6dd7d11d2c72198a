"""The product's own application, with a model that takes its time and counts who waits for it at once."""

import threading
import time
from pathlib import Path
from typing import Any

from django.conf import settings

from mlsite.wsgi import application
from predictions import engine

SECONDS = 0.3
__all__ = ["application"]


class Slow:
    """A runtime that answers after a while."""

    def __init__(self, runtime: Any) -> None:
        self._runtime, self._lock = runtime, threading.Lock()
        self._now = self._most = 0

    def score(self, frame: Any) -> Any:
        """Return what the model says, later."""
        with self._lock:
            self._now += 1
            self._most = max(self._most, self._now)
            Path(settings.VAR_DIR, "most").write_text(str(self._most))
        time.sleep(SECONDS)
        with self._lock:
            self._now -= 1
        return self._runtime.score(frame)


def slow_down() -> None:
    """Make the model in production slow."""
    loaded = engine.serving("tiny").production
    object.__setattr__(loaded, "runtime", Slow(loaded.runtime))  # type: ignore[union-attr]  # it is loaded


slow_down()
