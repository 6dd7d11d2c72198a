"""The last lines a run said."""

import threading
from collections import deque
from datetime import datetime

MOST_LINES = 200
MOST_CHARACTERS = 300


class RunLog:
    """A bounded tail of lines, filled by the work and read by its heartbeat.

    Parameters
    ----------
    text : str
        What earlier attempts have said.
    """

    def __init__(self, text: str = "") -> None:
        self._lines = deque(text.splitlines(), maxlen=MOST_LINES)
        self._lock = threading.Lock()

    def add(self, at: datetime, said: str) -> None:
        """Append what was said; a line break in it does not begin a line, and a repeated line is kept once.

        Parameters
        ----------
        at : datetime
            When, in UTC.
        said : str
            Cut at 300 characters.
        """
        line = f"{at:%H:%M:%S} {' '.join(said.split())[:MOST_CHARACTERS]}"
        with self._lock:
            if not self._lines or self._lines[-1].partition(" ")[2] != line.partition(" ")[2]:
                self._lines.append(line)

    def text(self) -> str:
        """Return the lines, the oldest first.

        Returns
        -------
        str
            At most 200 lines.
        """
        with self._lock:
            return "\n".join(self._lines)
