"""A steady load on the predict route: each answer's status, latency, version, and whether its value is that version's.

The load is open: a request is due at its own moment whether or not the ones before it were answered, and its latency
counts from that moment. A server that stalls is therefore charged for everything that was due meanwhile.
"""

import http.client
import json
import math
import random
import select
import threading
import time
from collections import Counter
from dataclasses import dataclass
from itertools import count
from typing import Any

PREDICT = "/api/v1/models/flights/predict"
TIMEOUT_S = 10.0
LATE_S = 1.0
WIDTH = 5.0
BODIES = 400
# The models calculate with 32 bits; neighbouring versions differ by more than 6e-4.
TOLERANCE = 1e-5


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one request; status 0 is a connection that failed."""

    due: float
    done: float
    status: int
    version: int = 0
    right: bool = False
    why: str = ""

    @property
    def failed(self) -> bool:
        return self.status != 200

    @property
    def wrong(self) -> bool:
        return self.status == 200 and not self.right

    @property
    def seconds(self) -> float:
        return self.done - self.due


def share_of(version: int, length: float) -> float:
    """Return the probability of class 1 that this version gives to a row: calculated here, not asked of a server.

    `tests.smoke.register_many` gives version n the weight n / 10.
    """
    return 1 / (1 + math.exp(-(version / 10 * length + WIDTH)))


class Connection:
    """One kept-alive connection, as clients of HTTP keep it: closed ones are noticed before they are used again."""

    def __init__(self, port: int, token: str, timeout_s: float = TIMEOUT_S) -> None:
        self._client = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
        self._headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}

    def ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes, http.client.HTTPMessage]:
        """Return status, body and headers."""
        socket = self._client.sock
        if socket is not None and select.select([socket], [], [], 0)[0]:
            self._client.close()  # something to read where nothing was asked: the end of the connection
        try:
            self._client.request(method, path, body, self._headers)
            response = self._client.getresponse()
            return response.status, response.read(), response.headers
        except (OSError, http.client.HTTPException):
            self._client.close()
            raise

    def close(self) -> None:
        """Close it."""
        self._client.close()


class Load:
    """Asks `rate` times a second over `connections` connections, from entry to exit of the block."""

    def __init__(self, port: int, token: str, *, rate: float = 200, connections: int = 32, seed: int = 0) -> None:
        self.port, self.token, self.rate = port, token, rate
        self.answers: list[Answer] = []
        draw = random.Random(seed)
        lengths = [draw.uniform(-1.05, -0.95) for _ in range(BODIES)]
        self._rows = [(length, json.dumps({"data": [[length, WIDTH]]}).encode()) for length in lengths]
        self._numbers = count()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(connections)]

    def __enter__(self) -> "Load":
        self._began = time.monotonic()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        connection = Connection(self.port, self.token)
        while not self._stop.is_set():
            number = next(self._numbers)
            due = self._began + number / self.rate
            if (wait := due - time.monotonic()) > 0 and self._stop.wait(wait):
                break
            self.answers.append(self._ask(connection, due, *self._rows[number % len(self._rows)]))
        connection.close()

    def _ask(self, connection: Connection, due: float, length: float, body: bytes) -> Answer:
        try:
            status, said, _ = connection.ask("POST", PREDICT, body)
        except (OSError, http.client.HTTPException) as error:
            return Answer(due, time.monotonic(), 0, why=type(error).__name__)
        done = time.monotonic()
        if status != 200:
            return Answer(due, done, status, why=said[:160].decode(errors="replace"))
        answer = json.loads(said)
        version = int(answer["model"]["version"])
        found = answer["probabilities"][0][1]
        return Answer(due, done, 200, version, abs(found - share_of(version, length)) < TOLERANCE)

    def between(self, start: float, stop: float) -> list[Answer]:
        """Return the answers to what was due in a time."""
        return [answer for answer in list(self.answers) if start <= answer.due < stop]


def figures(answers: list[Answer]) -> dict[str, Any]:
    """Return what a part of a run came to."""
    ordered = sorted(answer.seconds * 1000 for answer in answers if not answer.failed)
    found: dict[str, Any] = {
        "requests": len(answers),
        "failed": sum(answer.failed for answer in answers),
        "wrong": sum(answer.wrong for answer in answers),
        "late": sum(answer.seconds > LATE_S for answer in answers),
        **{name: _percentile(ordered, share) for name, share in (("p50_ms", 0.5), ("p99_ms", 0.99), ("max_ms", 1.0))},
    }
    if whys := Counter(f"{answer.status} {answer.why}".strip() for answer in answers if answer.failed):
        found["why"] = dict(whys.most_common(5))
    return found


def _percentile(ordered: list[float], share: float) -> float | None:
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))], 2) if ordered else None
