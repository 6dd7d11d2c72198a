"""A promotion every second while the served API is under load: no request fails, each answer is its version's own."""

import logging
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.smoke.product import Product

pytestmark = [pytest.mark.smoke, pytest.mark.timeout(600)]

PROMOTIONS = int(os.environ.get("PROMOTIONS", "60"))
EVERY_S = 1.0
CALLERS = 3
ROW = [[1.0, 2.0]]


class Caller(threading.Thread):
    """Asks again and again on one connection, and keeps whatever was not the answer of the version it names."""

    def __init__(self, address: str, headers: dict[str, str], expected: dict[int, Any], stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self.address, self.headers, self.expected, self.stop = address, headers, expected, stop
        self.seen: Counter[int] = Counter()
        self.failed: list[str] = []
        self.wrong: list[str] = []

    def run(self) -> None:
        with httpx.Client(base_url=self.address, headers=self.headers, timeout=10) as client:
            while not self.stop.is_set():
                try:
                    self.check(client.post("/api/v1/models/flights/predict", json={"data": ROW}))
                except (httpx.HTTPError, ValueError, KeyError) as error:
                    self.failed.append(repr(error))

    def check(self, response: httpx.Response) -> None:
        if response.status_code != 200:
            self.failed.append(f"{response.status_code}: {response.text[:200]}")
            return
        answer = response.json()
        version = int(answer["model"]["version"])
        self.seen[version] += 1
        if answer["probabilities"] != self.expected[version]:
            self.wrong.append(f"version {version} said {answer['probabilities']}, not {self.expected[version]}")


def promote_each(client: httpx.Client, headers: dict[str, str]) -> list[str]:
    """Promote the next version each second, each on the generation the last one left."""
    states = []
    due = time.monotonic()
    for number in range(2, PROMOTIONS + 2):
        due += EVERY_S
        time.sleep(max(0.0, due - time.monotonic()))
        asked = {"target_stage": "production", "reason": "next", "expected_generation": number - 1}
        done = client.post(f"/api/v1/models/flights/versions/{number}/promote", json=asked, headers=headers)
        states.append(done.json().get("state", done.text))
    return states


def test_promotion_every_second_fails_no_request_and_mixes_no_answers(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, logger="httpx")
    product = Product(tmp_path)
    product.environ["SERVER__WORKERS"] = "2"
    product.migrate()
    command = [sys.executable, "-m", "tests.smoke.register_many", str(PROMOTIONS + 1)]
    subprocess.run(command, cwd=product.code, env=product.environ, check=True, timeout=300)
    token = product.manage("issue_token", "smoke", "--role", "admin")["token"]
    headers = {"Authorization": f"Bearer {token}"}
    with product.served() as client:
        expected = {}
        for number in range(1, PROMOTIONS + 2):
            path = f"/api/v1/models/flights/versions/{number}/predict"
            expected[number] = client.post(path, json={"data": ROW}, headers=headers).json()["probabilities"]
        assert len({str(said) for said in expected.values()}) == PROMOTIONS + 1
        stop = threading.Event()
        callers = [Caller(str(client.base_url), headers, expected, stop) for _ in range(CALLERS)]
        for caller in callers:
            caller.start()
        states = promote_each(client, headers)
        while not all(caller.seen[PROMOTIONS + 1] for caller in callers) and any(c.is_alive() for c in callers):
            time.sleep(0.05)
        stop.set()
        for caller in callers:
            caller.join()
        drill = product.manage("rollback", "flights", "--drill", "--reason", "smoke", "--token", token)
    seen = sum((caller.seen for caller in callers), Counter())
    print(f"{seen.total()} answers of {len(seen)} versions")
    assert states == ["applied"] * PROMOTIONS
    assert [fault for caller in callers for fault in caller.failed] == []
    assert [fault for caller in callers for fault in caller.wrong] == []
    assert len(seen) > PROMOTIONS // 2
    assert drill.items() >= {"live": PROMOTIONS + 1, "tried": PROMOTIONS, "failed": 0, "wrong": 0}.items()
