"""What health says while the thing it speaks of is really broken, and when it works again."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db.utils import ConnectionHandler
from django.test import Client
from django.utils import timezone
from pydantic import SecretStr

from mlsite import health
from mlsite.health import Check, run_check
from pipeline.actions import consume as loop
from pipeline.actions.consume import ConsumeRequest, consume
from pipeline.adapters.stream_jsonl import JsonlSource
from pipeline.errors import StreamInterruptedError
from pipeline.models import StreamConsumer
from tests.pipeline.served_model import production
from tests.pipeline.stream_files import lines, written
from tests.s3 import CREDENTIALS, make_bucket, s3_server

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("var_dir")]


def consumers() -> Check:
    return run_check("consumers", health.check_consumers)


def streaming(settings: Any, **changes: Any) -> None:
    changed = settings.CONFIG.streaming.model_copy(update=changes)
    settings.CONFIG = settings.CONFIG.model_copy(update={"streaming": changed})


def endless(folder: Path, stop: Callable[[], bool]) -> None:
    """Consume a file without an end, until told to stop."""
    with JsonlSource(folder / "in.jsonl", folder / "out.jsonl") as source:
        consume(source, ConsumeRequest(model="late", actor="cli:test"), stop=stop)


def test_a_consumer_is_told_of_while_it_runs_and_after_it_stopped(tmp_path: Path, settings: Any) -> None:
    production()
    written(tmp_path, lines(7))
    streaming(settings, expected=["out.jsonl"])
    assert consumers() == Check(name="consumers", ok=False, detail="out.jsonl is expected and has never run")
    seen: list[Check] = []

    def stop() -> bool:
        seen.append(consumers())
        return len(seen) > 2

    endless(tmp_path, stop)
    assert seen[1] == seen[2] == Check(name="consumers", ok=True, detail="out.jsonl runs")
    # It should run, and has stopped.
    assert consumers() == Check(name="consumers", ok=False, detail="out.jsonl has stopped")
    streaming(settings, expected=[])
    assert consumers() == Check(name="consumers", ok=True, detail="out.jsonl has stopped")


def test_a_consumer_that_failed_is_told_of_for_a_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, client: Client
) -> None:
    production()
    written(tmp_path, lines(3))
    monkeypatch.setattr(loop, "MOST_FAILURES", 0)

    def away(*_: Any) -> None:
        raise StreamInterruptedError("the broker is away")

    monkeypatch.setattr(JsonlSource, "commit", away)
    with pytest.raises(StreamInterruptedError):
        endless(tmp_path, lambda: False)
    detail = "out.jsonl has failed: StreamInterruptedError: the broker is away"
    assert consumers() == Check(name="consumers", ok=False, detail=detail)
    body = client.get("/api/v1/health").json()
    assert (body["status"], body["checks"]["consumers"]["detail"]) == ("degraded", detail)
    StreamConsumer.objects.update(heartbeat_at=timezone.now() - timedelta(days=1, seconds=1))
    assert consumers().ok


def test_a_consumer_that_was_killed_falls_silent(settings: Any) -> None:
    now = timezone.now()
    row = StreamConsumer.objects.create(
        name="g.0", model="late", worker="host:1", lag=40, heartbeat_at=now, started_at=now
    )
    assert consumers() == Check(name="consumers", ok=True, detail="g.0 runs, 40 messages behind")
    streaming(settings, max_lag=39)
    assert consumers() == Check(name="consumers", ok=False, detail="g.0 runs, 40 messages behind")
    row.heartbeat_at = now - timedelta(seconds=45)
    row.save()
    assert consumers() == Check(name="consumers", ok=False, detail="g.0 has been silent for 45 s")


@pytest.mark.parametrize("content", [b"", b"no database at all, by its bytes" * 200])
def test_a_damaged_database_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    assert run_check("database", health.check_database).ok
    file = tmp_path / "other.sqlite3"
    file.write_bytes(content)
    options = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(file)}
    broken = ConnectionHandler({"default": options})["default"]
    monkeypatch.setattr(health, "connection", broken)
    found = run_check("database", health.check_database)
    broken.close()
    assert not found.ok
    assert found.detail.startswith("OperationalError: no such table" if not content else "DatabaseError: file is not")


def test_a_bucket_that_is_away_is_told(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    with s3_server() as endpoint:
        make_bucket(endpoint, "lake")

        def at(url: str) -> Check:
            given = {"url": SecretStr(url), "endpoint": SecretStr(endpoint), "allow_http": True}
            storage = settings.CONFIG.storage.model_copy(update=given)
            settings.CONFIG = settings.CONFIG.model_copy(update={"storage": storage})
            return run_check("storage", health.check_storage)

        assert at("s3://lake/pre/fix") == Check(name="storage", ok=True, detail="writable, and the bucket answers")
        assert at("s3://pond/pre") == Check(
            name="storage", ok=False, detail="the bucket of storage.url can't be used: FileNotFoundError"
        )
        assert at("s3://lake/pre/fix").ok
    assert run_check("storage", health.check_storage).detail == "the bucket of storage.url can't be used: OSError"


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def redis_server() -> Iterator[tuple[str, int]]:
    """Start a Redis of this test's own; give its address and process id."""
    if not (program := shutil.which("redis-server")):
        pytest.skip("redis-server is not installed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    argv = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL) as process:
        try:
            deadline = time.monotonic() + 30
            while not listens(port) and time.monotonic() < deadline:
                time.sleep(0.05)
            yield f"redis://127.0.0.1:{port}/0", process.pid
        finally:
            process.kill()


@pytest.mark.redis
def test_a_redis_that_is_frozen_full_or_gone_is_told(settings: Any, client: Client) -> None:
    with redis_server() as (url, pid):
        settings.REDIS_URL = settings.CELERY_BROKER_URL = url
        limits = {"SOCKET_TIMEOUT": 0.5, "SOCKET_CONNECT_TIMEOUT": 0.5}
        settings.CACHES = {"default": {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": url, "OPTIONS": limits}}

        def found() -> tuple[bool, bool]:
            answer = client.get("/api/v1/health")
            assert answer.status_code == 200
            checks = answer.json()["checks"]
            return checks["cache"]["ok"], checks["broker"]["ok"]

        assert found() == (True, True)
        os.kill(pid, signal.SIGSTOP)
        assert found() == (False, False)
        os.kill(pid, signal.SIGCONT)
        assert found() == (True, True)
        subprocess.run(["redis-cli", "-u", url, "config", "set", "maxmemory", "1"], check=True, capture_output=True)
        assert found()[0] is False
        os.kill(pid, signal.SIGKILL)
        time.sleep(0.1)
        assert found() == (False, False)
