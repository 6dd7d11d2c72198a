"""The answers of one loaded version, least recently used first out."""

import threading
from collections import OrderedDict

from predictions.core.scored import Scored

# A longer body is cheaper to score than to keep.
MAX_KEY_BYTES = 16_384


class PredictionCache:
    """Scores by the exact bytes of the request; each loaded version has its own, so a swap forgets them all."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._lock = threading.Lock()
        self._entries: OrderedDict[bytes, Scored] = OrderedDict()

    def get(self, key: bytes) -> Scored | None:
        """Return what was kept for these bytes."""
        if not self.size:
            return None
        with self._lock:
            found = self._entries.get(key)
            if found is not None:
                self._entries.move_to_end(key)
            return found

    def put(self, key: bytes, scored: Scored) -> None:
        """Keep an answer, and forget the one asked for longest ago if there are too many."""
        if not self.size or len(key) > MAX_KEY_BYTES:
            return
        with self._lock:
            self._entries[key] = scored
            self._entries.move_to_end(key)
            if len(self._entries) > self.size:
                self._entries.popitem(last=False)

    def __len__(self) -> int:
        return len(self._entries)
