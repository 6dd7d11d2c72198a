"""How many requests a caller has left: exact fixed windows, shared by every worker process."""

import hashlib
import logging
import math
import mmap
import os
import struct
import threading
import time
from fcntl import LOCK_EX, LOCK_UN, lockf
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

from features.ground.paths import var_path
from features.ground.quick_settings import setting
from predictions import metrics
from predictions.errors import RowLimitError

logger = logging.getLogger(__name__)
# Where a request's decision is left: one that is handed over is counted once, and its answer tells.
ENVIRON_KEY = "mlsite.rate_decision"
PERIODS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
SLOT = struct.Struct("<QQQ")  # key, end of the window in seconds since 1970, count
BUCKETS, SLOTS_IN_BUCKET = 8192, 8
BUCKET_BYTES = SLOT.size * SLOTS_IN_BUCKET
# How long a request waits for Redis to count it, and how often Redis is looked for once it did not.
REDIS_COUNT_S = 0.25
REDIS_LOOK_S = 1.0
COUNT_SCRIPT = """
local count = redis.call('INCRBY', KEYS[1], ARGV[2])
if count == tonumber(ARGV[2]) then redis.call('EXPIRE', KEYS[1], ARGV[1]) end
return count
"""


class Decision(NamedTuple):
    """Whether a request may pass, and what its answer says about the limit.

    `used` is how many there were in the window with this one; `reset` is the time at which the window ends, in whole
    seconds since 1970.
    """

    limit: int
    used: int
    reset: int

    @property
    def allowed(self) -> bool:
        """Tell whether it may pass."""
        return self.used <= self.limit

    @property
    def retry_after(self) -> int:
        """Return the seconds until the window ends, at least one."""
        return max(1, math.ceil(self.reset - time.time()))

    def headers(self) -> list[tuple[str, str]]:
        """Return the X-RateLimit headers."""
        limit, used, reset = self
        remaining = limit - used if used < limit else 0
        return [
            ("X-RateLimit-Limit", str(limit)),
            ("X-RateLimit-Remaining", str(remaining)),
            ("X-RateLimit-Reset", str(reset)),
        ]


@lru_cache(maxsize=32)
def parse_rate(rate: str) -> tuple[int, int] | None:
    """Return count and seconds of a rate such as 100/minute; None if limits are off."""
    if rate == "off":
        return None
    count, _, period = rate.partition("/")
    return int(count), PERIODS[period[0]]


class FileCounter:
    """Counts in a small mapped file; a lock on a few of its bytes makes them exact over processes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._threads = threading.Lock()  # a file lock holds between processes only
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        size = BUCKETS * BUCKET_BYTES
        if os.fstat(self._fd).st_size < size:
            os.truncate(self._fd, size)
        self._map = mmap.mmap(self._fd, size)

    def hit(self, key: str, ends: int, seconds: int, count: int = 1) -> int:
        """Count requests or rows of a key in the window that ends then, and return how many there were."""
        (name, start), fd = _place(key, seconds), self._fd
        with self._threads:
            lockf(fd, LOCK_EX, BUCKET_BYTES, start)
            try:
                return self._count(start, name, ends, ends - seconds, count)
            finally:
                lockf(fd, LOCK_UN, BUCKET_BYTES, start)

    def _count(self, start: int, name: int, ends: int, now: int, more: int) -> int:
        oldest, at = ends + 1, start
        for offset in range(start, start + BUCKET_BYTES, SLOT.size):
            key, when, count = SLOT.unpack_from(self._map, offset)
            if key == name:
                count = count + more if when == ends else more
                SLOT.pack_into(self._map, offset, name, ends, count)
                return int(count)
            if when < oldest:
                oldest, at = when, offset
        if oldest > now:
            # Every place is in use: share one, so that crowding can only let fewer through, never more.
            key, when, count = SLOT.unpack_from(self._map, at)
            SLOT.pack_into(self._map, at, key, when, count + more)
            return int(count) + more
        SLOT.pack_into(self._map, at, name, ends, more)
        return more

    def close(self) -> None:
        """Let go of the file."""
        self._map.close()
        os.close(self._fd)


@lru_cache(maxsize=4096)
def _place(key: str, seconds: int) -> tuple[int, int]:
    """Return what a key is called in the file, and where its bucket begins."""
    name = int.from_bytes(hashlib.blake2b(f"{seconds}\x00{key}".encode(), digest_size=8).digest(), "big") or 1
    return name, (name % BUCKETS) * BUCKET_BYTES


class RedisCounter:
    """Counts in Redis, in one round trip; the file counts while Redis is away.

    The first request that Redis does not answer in time pays for finding that out. Then a thread looks for it, and no
    request waits for Redis until it answers again.
    """

    def __init__(self, url: str, fallback: FileCounter) -> None:
        timeout = min(REDIS_COUNT_S, settings.CONFIG.redis.socket_timeout_s)
        # A connection that has ended since is opened anew, once. The library's own retries would hold a request for
        # many times the timeout.
        retry = Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,))
        self._client = redis.Redis.from_url(url, socket_timeout=timeout, socket_connect_timeout=timeout, retry=retry)
        self._script = self._client.register_script(COUNT_SCRIPT)
        self._fallback = fallback
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._is_away = False

    def hit(self, key: str, ends: int, seconds: int, count: int = 1) -> int:
        """Count requests or rows of a key in the window that ends then, and return how many there were."""
        if not self._is_away:
            try:
                return int(self._script(keys=[f"rate:{seconds}:{ends}:{key}"], args=[seconds + 1, count]))
            except redis.RedisError as error:
                self.note_away(error)
        metrics.rate_limit_fallback_total.inc()
        return self._fallback.hit(key, ends, seconds, count)

    @property
    def is_away(self) -> bool:
        """Tell whether Redis did not answer when it was last asked."""
        return self._is_away

    def note_away(self, error: Exception) -> None:
        """Count here from now on, until Redis is found again."""
        with self._lock:
            if not self._is_away:
                self._is_away = True
                logger.warning("Redis is away; rate limits are counted on this machine: %s", error)
                threading.Thread(target=self._until_redis_answers, name="look-for-redis", daemon=True).start()

    def _until_redis_answers(self) -> None:
        while not self._closed.wait(REDIS_LOOK_S):
            try:
                self._client.ping()
            except redis.RedisError:
                continue
            self._is_away = False
            logger.warning("Redis is back; it counts the rate limits again")
            return

    def close(self) -> None:
        """Let go of the connections and the file."""
        self._closed.set()
        self._client.close()
        self._fallback.close()


_lock = threading.Lock()
_counters: dict[tuple[str, str], FileCounter | RedisCounter] = {}


def counter() -> FileCounter | RedisCounter:
    """Return the counter of this installation, opened once per process."""
    # A path keeps its text, and takes long to be hashed itself.
    place = (str(setting("VAR_DIR")), setting("REDIS_URL"))
    found = _counters.get(place)
    if found is None:
        with _lock:
            if place not in _counters:
                local = FileCounter(var_path("limits", "counts.bin"))
                _counters[place] = RedisCounter(settings.REDIS_URL, local) if settings.REDIS_URL else local
            found = _counters[place]
    return found


def redis_is_away() -> bool:
    """Tell whether Redis should count, and is known not to answer."""
    found = counter()
    return isinstance(found, RedisCounter) and found.is_away


def note_redis_away(error: Exception) -> None:
    """Tell the counter what somebody else found out: that Redis does not answer."""
    if isinstance(found := counter(), RedisCounter):
        found.note_away(error)


def counts_at_once() -> bool:
    """Tell whether a request is counted without asking another machine."""
    found = counter()
    return isinstance(found, FileCounter) or found.is_away


def check_rows(principal: str, rows: int) -> None:
    """Count rows that are about to be scored.

    Raises
    ------
    RowLimitError
        If the caller has not so many left.
    """
    decision = hit("rows", principal, setting("CONFIG").row_rate_limit, rows)
    if decision is not None and not decision.allowed:
        wait = decision.retry_after
        raise RowLimitError(
            f"over the limit of {decision.limit} rows: wait {wait} seconds", limit=decision.limit, retry_after=wait
        )


def hit(scope: str, principal: str, rate: str, amount: int = 1) -> Decision | None:
    """Count one request, or so many rows; None if the limit is off."""
    if (parsed := parse_rate(rate)) is None:
        return None
    limit, seconds = parsed
    reset = (int(time.time()) // seconds + 1) * seconds
    count = counter().hit(f"{scope}\x00{principal}", reset, seconds, amount)
    if count > limit:
        metrics.rate_limited_total.labels(scope).inc()
    return Decision(limit, count, reset)
