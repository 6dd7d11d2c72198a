"""Exactly as many requests pass as a limit says, over threads, processes and windows."""

import multiprocessing
import os
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.conf import settings

from predictions.adapters import limits
from predictions.adapters.limits import BUCKET_BYTES, BUCKETS, FileCounter, RedisCounter, hit, parse_rate
from tests.mlsite.test_supervisor import wait_for
from tests.proxy import Proxy

ENDS = 1_800_000_060


def hit_often(path: str, times: int) -> list[int]:
    counter = FileCounter(Path(path))
    return [counter.hit("alice", ENDS, 60) for _ in range(times)]


def test_rates_are_read() -> None:
    assert parse_rate("100/minute") == (100, 60)
    assert parse_rate("5/s") == (5, 1)
    assert parse_rate("2/day") == (2, 86_400)
    assert parse_rate("off") is None


def test_counts_are_exact_over_processes(tmp_path: Path) -> None:
    path = str(tmp_path / "counts")
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        found = pool.starmap(hit_often, [(path, 200)] * 3)
    assert sorted(count for counts in found for count in counts) == list(range(1, 601))


def test_counts_are_exact_over_threads(tmp_path: Path) -> None:
    counter = FileCounter(tmp_path / "counts")
    with ThreadPoolExecutor(8) as pool:
        counts = list(pool.map(lambda _: counter.hit("alice", ENDS, 60), range(400)))
    assert sorted(counts) == list(range(1, 401))


def test_keys_windows_and_periods_count_apart(tmp_path: Path) -> None:
    counter = FileCounter(tmp_path / "counts")
    assert [counter.hit("a", ENDS, 60), counter.hit("a", ENDS, 60)] == [1, 2]
    assert counter.hit("b", ENDS, 60) == 1
    assert counter.hit("a", ENDS, 3600) == 1
    assert counter.hit("a", ENDS + 60, 60) == 1


def test_a_crowded_bucket_lets_fewer_through_never_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BUCKETS", 1)
    counter = FileCounter(tmp_path / "counts")
    for name in range(8):
        assert counter.hit(f"user-{name}", ENDS, 60) == 1
    assert counter.hit("ninth", ENDS, 60) == 2
    assert counter.hit("ninth", ENDS, 60) == 3
    assert counter.hit("ninth", ENDS + 60, 60) == 1


def test_the_file_is_private_and_small(tmp_path: Path) -> None:
    FileCounter(tmp_path / "counts").close()
    found = (tmp_path / "counts").stat()
    assert found.st_mode & 0o777 == 0o600
    assert found.st_size == BUCKETS * BUCKET_BYTES < 2_000_000


def test_the_last_allowed_request_leaves_none(var_dir: Path) -> None:
    first, last, over = (hit("predict", "user:alice", "2/day") for _ in range(3))
    assert first is not None
    assert (first.allowed, dict(first.headers())["X-RateLimit-Remaining"]) == (True, "1")
    assert last is not None
    assert (last.allowed, dict(last.headers())["X-RateLimit-Remaining"]) == (True, "0")
    assert over is not None
    assert (over.allowed, dict(over.headers())["X-RateLimit-Remaining"]) == (False, "0")
    assert 1 <= over.retry_after <= 86_400
    assert over.reset % 86_400 == 0


def test_a_limit_that_is_off_decides_nothing(var_dir: Path) -> None:
    assert hit("predict", "user:alice", "off") is None


def test_this_machine_counts_while_redis_is_away(tmp_path: Path) -> None:
    counter = RedisCounter("redis://127.0.0.1:1/0", FileCounter(tmp_path / "counts"))
    assert [counter.hit("alice", ENDS, 60) for _ in range(3)] == [1, 2, 3]
    counter.close()


def test_a_frozen_redis_holds_up_one_request_and_once(tmp_path: Path) -> None:
    # The system takes the connections; nobody answers on them.
    with socket.create_server(("127.0.0.1", 0)) as frozen:
        frozen.setblocking(False)
        counter = RedisCounter(f"redis://127.0.0.1:{frozen.getsockname()[1]}/0", FileCounter(tmp_path / "counts"))
        assert [counter.hit("alice", ENDS, 60) for _ in range(40)] == list(range(1, 41))
        counter.close()
        asked = 0
        while True:
            try:
                frozen.accept()[0].close()
            except BlockingIOError:
                break
            asked += 1
    assert asked == 1


@pytest.mark.redis
def test_redis_counts_again_once_it_is_back(tmp_path: Path) -> None:
    if not (url := os.environ.get("TEST_REDIS_URL")):
        pytest.skip("TEST_REDIS_URL names no Redis server")
    with Proxy(url) as proxy:
        counter = RedisCounter(proxy.url, FileCounter(tmp_path / "counts"))
        key = f"test-{os.getpid()}-{tmp_path.name}"
        assert [counter.hit(key, ENDS, 60) for _ in range(3)] == [1, 2, 3]
        proxy.cut()
        assert [counter.hit(key, ENDS, 60) for _ in range(2)] == [1, 2]
        assert counter.is_away
        proxy.mend()
        wait_for(lambda: not counter.is_away)
        assert counter.hit(key, ENDS, 60) == 4
        counter.close()


@pytest.mark.redis
def test_redis_counts_exactly_for_all_machines(tmp_path: Path) -> None:
    if not (url := os.environ.get("TEST_REDIS_URL")):
        pytest.skip("TEST_REDIS_URL names no Redis server")
    counters = [RedisCounter(url, FileCounter(tmp_path / str(number))) for number in range(2)]
    key = f"test-{os.getpid()}-{tmp_path.name}"
    with ThreadPoolExecutor(8) as pool:
        counts = list(pool.map(lambda n: counters[n % 2].hit(key, ENDS, 60), range(200)))
    assert sorted(counts) == list(range(1, 201))
    for counter in counters:
        counter.close()


def test_the_counter_of_an_installation_is_opened_once(var_dir: Path) -> None:
    assert limits.counter() is limits.counter()
    assert (Path(settings.VAR_DIR) / "limits" / "counts.bin").exists()


def test_rows_are_counted_by_the_row(var_dir: Path) -> None:
    assert [hit("rows", "user:alice", "10/day", rows) for rows in (4, 6)][-1].allowed  # type: ignore[union-attr]  # a limit is on
    over = hit("rows", "user:alice", "10/day", 1)
    assert over is not None
    assert not over.allowed
