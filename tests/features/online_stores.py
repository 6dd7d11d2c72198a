"""The stores of online values the tests run on."""

import os

import pytest
from django.conf import settings

from features.adapters import online
from features.adapters.online_redis import redis_store

STORES = [pytest.param("database"), pytest.param("redis", marks=pytest.mark.redis)]


def redis_url() -> str:
    """Return a Redis database no other worker of this test run uses."""
    if not (url := os.environ.get("TEST_REDIS_URL")):
        pytest.skip("TEST_REDIS_URL names no Redis server")
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    return f"{url.rpartition('/')[0]}/{1 + int(worker)}"


def choose_store(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep online values in this store, here and in children of this test."""
    features = settings.CONFIG.features.model_copy(update={"online_store": name})
    changed = {"features": features}
    if name == "redis":
        url = redis_url()
        changed["redis"] = type(settings.CONFIG.redis).model_validate({"url": url, "socket_timeout_s": 5})
        monkeypatch.setenv("REDIS_URL", url)
    monkeypatch.setenv("FEATURES__ONLINE_STORE", name)
    monkeypatch.setattr(settings, "CONFIG", settings.CONFIG.model_copy(update=changed))
    online.online_store.cache_clear()
    if name == "redis":
        redis_store()._writer.flushdb()


def forget_store() -> None:
    """Have the next read ask the settings again."""
    online.online_store.cache_clear()
