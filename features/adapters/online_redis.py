"""Online values in Redis: one hash for a snapshot, one packed value for an entity."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import lru_cache
from itertools import islice
from typing import Any, cast

import redis
from django.conf import settings

from features.adapters.online_store import Found, Generation
from features.errors import OnlineStoreDownError
from features.ground.errors import bounded
from features.ground.steps import step
from features.models import FeatureView

PART = 2000
# A snapshot nobody serves any more, or not yet, goes by itself.
KEEP_S = 3600
# Copying and filling take longer than a reader may wait.
WRITE_TIMEOUT_S = 60.0
# Pointer and values in one step: nothing else runs in Redis meanwhile.
READ = """
local live = redis.call('GET', KEYS[1])
if not live then return nil end
local all = KEYS[1] .. ':' .. live
local found = {live}
for first = 1, #ARGV, 1000 do
  local values = redis.call('HMGET', all, unpack(ARGV, first, math.min(first + 999, #ARGV)))
  for place = 1, #values do found[first + place] = values[place] end
end
if redis.call('EXISTS', all) == 0 then return nil end
return found
"""
PUBLISH = """
local all = KEYS[1] .. ':' .. ARGV[1]
if redis.call('EXISTS', all) == 0 then return 0 end
redis.call('PERSIST', all)
local before = redis.call('GET', KEYS[1])
redis.call('SET', KEYS[1], ARGV[1])
if before and before ~= ARGV[1] then redis.call('EXPIRE', KEYS[1] .. ':' .. before, ARGV[2]) end
return 1
"""


class RedisStore:
    """Hashes by view and snapshot, and a key for each view that names the one it serves."""

    name = "redis"

    def __init__(self, url: str, timeout_s: float) -> None:
        self._reader = redis.Redis.from_url(url, socket_timeout=timeout_s, socket_connect_timeout=timeout_s)
        self._writer = redis.Redis.from_url(url, socket_timeout=WRITE_TIMEOUT_S, socket_connect_timeout=timeout_s)
        self._read = self._reader.register_script(READ)
        self._publish = self._writer.register_script(PUBLISH)

    def read(self, view: str, number: int | None, keys: Sequence[str]) -> Found | None:
        """Ask the database which view is meant, and Redis for all else."""
        views = FeatureView.objects.filter(name=view).order_by("-version").values_list("pk", flat=True)
        pk = (views if number is None else views.filter(version=number)).first()
        if pk is None:
            return None
        with _answering():
            found = cast("list[Any] | None", self._read(keys=[_pointer(pk)], args=list(keys)))
        if found is None:
            return None
        packed = {key: value for key, value in zip(keys, found[1:], strict=True) if value is not None}
        return Found(_generation(pk, found[0]), packed)

    def live(self, view: int) -> int | None:
        """Return the snapshot a view's key names, if it is still there."""
        with _answering():
            live = cast("bytes | None", self._writer.get(_pointer(view)))
            if live is None or not self._writer.exists(_all(generation := _generation(view, live))):
                return None
        return generation.snapshot

    def writing(self) -> AbstractContextManager[object]:
        """Return nothing in particular: what is half written goes by itself."""
        return nullcontext()

    def carry(self, source: Generation, target: Generation, but: Sequence[str], after: str | None) -> None:
        """Copy all inside Redis, then take out what is not wanted."""
        step("copy inside Redis")
        with _answering():
            self._writer.copy(_all(source), _all(target), replace=True)
            pipe = self._writer.pipeline(transaction=False)
            pipe.expire(_all(target), KEEP_S)
            for first in range(0, len(but), PART):
                pipe.hdel(_all(target), *but[first : first + PART])
            pipe.execute()

    def put(self, target: Generation, keys: Sequence[str], packed: Sequence[bytes]) -> None:
        """Add values to a hash."""
        step("write to Redis")
        with _answering():
            pipe = self._writer.pipeline(transaction=False)
            for first in range(0, len(keys), PART):
                part = slice(first, first + PART)
                pairs = [item for pair in zip(keys[part], packed[part], strict=True) for item in pair]
                pipe.execute_command("HSET", _all(target), *pairs)
            pipe.expire(_all(target), KEEP_S)
            pipe.execute()

    def count(self, generation: Generation) -> int:
        """Return how many fields a hash has."""
        with _answering():
            return self._writer.hlen(_all(generation))

    def some_keys(self, generation: Generation, count: int) -> list[str]:
        """Return the keys a scan comes upon first."""
        with _answering():
            found = islice(self._reader.hscan_iter(_all(generation), count=count), count)
            return sorted(key.decode() for key, _ in found)

    def publish(self, view: int) -> None:
        """Name the database's snapshot, again where another one was flipped to meanwhile.

        So of two at once the one the database names is served at the end, whoever comes last.
        """
        named = None
        while (live := _served(view)) != named:
            step("pointer in Redis")
            with _answering():
                there = self._publish(keys=[_pointer(view)], args=[f"{live.snapshot}:{live.fingerprint}", KEEP_S])
            step("pointer moved in Redis")
            if not there:
                raise OnlineStoreDownError("Redis lost the values before they were served; materialize again")
            named = live


@lru_cache(maxsize=4)
def _store(url: str, timeout_s: float) -> RedisStore:
    return RedisStore(url, timeout_s)


def redis_store() -> RedisStore:
    """Return the store of this installation's Redis; its connections are kept."""
    config = settings.CONFIG.redis
    return _store(config.url.get_secret_value(), config.socket_timeout_s)


@contextmanager
def _answering() -> Iterator[None]:
    """Tell that Redis is away, as its own error: nothing is missing for that."""
    try:
        yield
    except redis.RedisError as error:
        text = f"the online store in Redis does not answer: {bounded(str(error), 200)}"
        raise OnlineStoreDownError(text) from error


def _pointer(view: int) -> str:
    # All keys of a view are on one node of a cluster.
    return f"mlsite:online:{{{view}}}"


def _all(generation: Generation) -> str:
    return f"{_pointer(generation.view)}:{generation.snapshot}:{generation.fingerprint}"


def _generation(view: int, live: bytes) -> Generation:
    snapshot, _, fingerprint = live.decode().partition(":")
    return Generation(view, int(snapshot), fingerprint)


def _served(view: int) -> Generation:
    found = FeatureView.objects.values_list("pk", "live_snapshot", "live_snapshot__fingerprint").get(pk=view)
    return Generation(*found)
